//! Tells from a HID report descriptor whether a device is a bar code scanner of the point-of-sale usage tables.

/// Longest descriptor that Linux takes, in bytes.
pub(super) const DESCRIPTOR_BYTES_MAX: usize = 4_096;

/// Usage page 0x8C "Bar Code Scanner", usage 0x02 "Bar Code Scanner" (USB HID Point of Sale Usage Tables 1.02).
const SCANNER: u32 = 0x008c_0002;

/// Nested `Push` items that are kept; a deeper one makes the descriptor none of ours.
const PUSHES_MAX: usize = 16;

/// The prefix of a long item: its length and tag follow in two bytes (Device Class Definition for HID 1.11, 6.2.2.3).
const LONG_ITEM: u8 = 0xfe;

/// Prefixes of short items, without the two bits of their length (6.2.2.4 to 6.2.2.8).
const COLLECTION: u8 = 0xa0;
const END_COLLECTION: u8 = 0xc0;
const USAGE_PAGE: u8 = 0x04;
const PUSH: u8 = 0xa4;
const POP: u8 = 0xb4;
const USAGE: u8 = 0x08;

/// The kind of a collection that is a device of its own.
const APPLICATION: u32 = 1;

/// Whether a top-level application collection of the descriptor is a bar code scanner. What is no descriptor is none.
pub(super) fn is_scanner(descriptor: &[u8]) -> bool {
    let mut bytes = descriptor.get(..DESCRIPTOR_BYTES_MAX).unwrap_or(descriptor);
    let mut page = 0;
    let mut pushed = Vec::new();
    let mut usage: Option<Usage> = None;
    let mut depth: usize = 0;
    while let Some((item, rest)) = next_item(bytes) {
        bytes = rest;
        match item.prefix {
            USAGE_PAGE => page = item.value,
            PUSH if pushed.len() < PUSHES_MAX => pushed.push(page),
            PUSH => return false,
            POP => page = pushed.pop().unwrap_or(page),
            USAGE => {
                usage.get_or_insert(Usage { value: item.value, length: item.length });
            }
            COLLECTION => {
                let is_device = depth == 0 && item.value == APPLICATION;
                if is_device && usage.is_some_and(|usage| usage.on(page) == SCANNER) {
                    return true;
                }
                depth = depth.saturating_add(1);
            }
            END_COLLECTION => depth = depth.saturating_sub(1),
            _ => {}
        }
        // Every main item ends the local ones.
        if item.prefix & 0x0c == 0 {
            usage = None;
        }
    }
    false
}

/// The first usage before a collection, which is the collection's own.
#[derive(Clone, Copy)]
struct Usage {
    value: u32,
    length: usize,
}

impl Usage {
    /// With its page: its own if it has four bytes, else the one that holds where the collection begins.
    const fn on(self, page: u32) -> u32 {
        if self.length == 4 { self.value } else { (page << 16) | self.value }
    }
}

struct Item {
    /// Tag and type.
    prefix: u8,
    value: u32,
    length: usize,
}

/// The first item and what follows it; nothing at the end, or where an item is cut off.
fn next_item(bytes: &[u8]) -> Option<(Item, &[u8])> {
    let (&prefix, rest) = bytes.split_first()?;
    if prefix == LONG_ITEM {
        let (&length, rest) = rest.split_first()?;
        let rest = rest.get(1 + usize::from(length)..)?;
        return Some((Item { prefix, value: 0, length: 0 }, rest));
    }
    let length = match prefix & 0x03 {
        3 => 4,
        length => usize::from(length),
    };
    let (value, rest) = rest.split_at_checked(length)?;
    let value = value.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte));
    Some((Item { prefix: prefix & 0xfc, value, length }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As a scanner has it, cut after its first report.
    const POINT_OF_SALE: &[u8] = &[
        0x05, 0x8c, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x12, 0xa1, 0x02, 0x85, 0x02, 0x15, 0x00, 0x26,
        0xff, 0x00, 0x75, 0x08, 0x95, 0x01, 0x05, 0x01, 0x09, 0x3b, 0x81, 0x02, 0xc0, 0xc0,
    ];

    #[test]
    fn only_a_top_level_scanner_is_one() {
        let table: [(&str, &[u8], bool); 12] = [
            ("point of sale", POINT_OF_SALE, true),
            (
                "behind another collection",
                &[5, 1, 9, 6, 0xa1, 1, 0xc0, 5, 0x8c, 9, 2, 0xa1, 1],
                true,
            ),
            ("a usage of four bytes", &[5, 1, 0x0b, 2, 0, 0x8c, 0, 0xa1, 1], true),
            ("a page that comes after the usage", &[9, 2, 5, 0x8c, 0xa1, 1], true),
            ("a page of two bytes", &[6, 0x8c, 0, 9, 2, 0xa1, 1], true),
            ("a page that was pushed", &[5, 0x8c, 0xa4, 5, 1, 0xb4, 9, 2, 0xa1, 1], true),
            ("behind a long item", &[0xfe, 2, 0, 9, 9, 5, 0x8c, 9, 2, 0xa1, 1], true),
            ("a keyboard", &[5, 1, 9, 6, 0xa1, 1, 5, 7, 0x19, 0xe0, 0xc0], false),
            ("a scale", &[5, 0x8d, 9, 2, 0xa1, 1], false),
            ("not the first usage", &[5, 0x8c, 9, 3, 9, 2, 0xa1, 1], false),
            ("within another collection", &[5, 1, 9, 6, 0xa1, 1, 5, 0x8c, 9, 2, 0xa1, 1], false),
            ("no application", &[5, 0x8c, 9, 2, 0xa1, 0], false),
        ];
        for (what, descriptor, expected) in table {
            assert_eq!(is_scanner(descriptor), expected, "{what}");
        }
    }

    #[test]
    fn what_is_cut_off_or_too_deep_is_none() {
        for end in 0..6 {
            assert!(!is_scanner(&POINT_OF_SALE[..end]), "{end}");
        }
        let deep = [[PUSH; PUSHES_MAX + 1].as_slice(), POINT_OF_SALE].concat();
        assert!(!is_scanner(&deep));
        let late = [[0x05, 0x01].repeat(DESCRIPTOR_BYTES_MAX / 2), POINT_OF_SALE.to_vec()];
        assert!(!is_scanner(&late.concat()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(is_scanner(&[POINT_OF_SALE, &bytes].concat()));
            let is_named = bytes.contains(&0x8c);
            prop_assert!(is_named || !is_scanner(&bytes));
        }
    }
}

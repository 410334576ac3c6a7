//! What a provider's code means: who must act. Codes change without notice, so one that is not known is judged by its family.

/// Who must act on a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The voter: nothing arrives at that address.
    BadAddress,
    /// Nobody: it may arrive another time.
    TryLater,
    /// The office: the account, the number that sends, or what is said.
    Ours,
    /// Nobody: the voter stopped it.
    OptedOut,
}

impl Class {
    /// The state of the notice.
    pub const fn state(self) -> &'static str {
        match self {
            Self::BadAddress => "bad_address",
            Self::TryLater => "try_later",
            Self::Ours => "ours",
            Self::OptedOut => "opted_out",
        }
    }
}

/// The provider's queue has no room for the text.
pub(crate) const QUEUE_FULL: &str = "30001";
/// The carrier takes no more texts of the number's campaign that day.
pub(crate) const DAY_FULL: &str = "30023";

/// What a code of the provider says of one message (Twilio's error dictionary; notify.md of carriers' codes).
pub(crate) fn class(code: &str) -> Class {
    match code {
        "21610" => Class::OptedOut,
        // No such number, cannot be texted, unknown or inactive, landline.
        "21211" | "21214" | "21217" | "21601" | "21614" | "30005" | "30006" | "13223" | "13224" => {
            Class::BadAddress
        }
        // Unreachable, unknown.
        "" | QUEUE_FULL | DAY_FULL | "30003" | "30008" | "busy" | "no-answer" | "canceled" => {
            Class::TryLater
        }
        // 30004 blocked by the handset's owner or carrier: it is not to be tried again.
        "30004" => Class::BadAddress,
        _ => Class::Ours,
    }
}

/// Whether the code is about the account, and so about every message.
pub(crate) fn is_of_account(code: &str) -> bool {
    matches!(code, "20003" | "20005" | "20403" | "30002" | "30032" | "30034" | "21606" | "21212")
}

/// How far along a provider's status is: a lower one never replaces a higher one.
pub(crate) fn rank(status: &str) -> u8 {
    match status {
        "" => 0,
        "accepted" | "scheduled" | "queued" | "initiated" => 1,
        "sending" | "ringing" => 2,
        "sent" | "in-progress" => 3,
        _ if is_final(status) => 4,
        _ => 1,
    }
}

/// Whether nothing comes after that status.
pub(crate) fn is_final(status: &str) -> bool {
    is_success(status)
        || matches!(
            status,
            "undelivered" | "failed" | "busy" | "no-answer" | "canceled" | "bounced"
        )
}

/// Whether it arrived.
pub(crate) fn is_success(status: &str) -> bool {
    matches!(status, "delivered" | "read" | "completed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_who_must_act() {
        for (code, expected) in [
            ("21610", Class::OptedOut),
            ("30005", Class::BadAddress),
            ("30003", Class::TryLater),
            ("no-answer", Class::TryLater),
            ("30007", Class::Ours),
            ("99999", Class::Ours),
        ] {
            assert_eq!(class(code), expected, "{code}");
        }
        assert!(is_of_account("20003") && !is_of_account("30003"));
    }

    #[test]
    fn statuses_go_one_way() {
        let order = ["", "queued", "sending", "sent", "delivered"];
        assert!(order.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
        assert_eq!(rank("something new"), 1);
        assert_eq!(rank("failed"), rank("delivered"));
    }
}

//! Envelopes of every kind laid before a camera that reads badly: none is lost, none is taken for another.

use super::*;

/// An envelope that a clerk lays before the camera.
#[derive(Debug, Clone)]
struct Envelope {
    codes: &'static [Symbology],
    at: [f32; 2],
    /// Looks at an empty table before it.
    gap: usize,
    /// Looks, beyond those that it takes until it has been read often enough.
    stays: usize,
}

impl Envelope {
    /// What its codes say is its number.
    fn symbols(&self, number: usize) -> Vec<Found> {
        let [x, y] = self.at;
        let code = |(row, symbology): (u8, &Symbology)| {
            let row = f32::from(row);
            let payload = format!("{} {number}", symbology.name());
            found_at(*symbology, &payload, [x + 20.0 * row, y + 90.0 * row])
        };
        (0..).zip(self.codes).map(code).collect()
    }
}

/// Longer than for so many looks, which are less than a second, no symbol is not read at all.
const BADLY_MAX: u32 = 15;

/// How well the camera reads.
#[derive(Debug, Clone, Copy)]
struct Harm {
    unread: f64,
    misread: f64,
}

fn envelopes() -> impl Strategy<Value = Vec<Envelope>> {
    const KINDS: [&[Symbology]; 6] = [
        &[Symbology::Code128],
        &[Symbology::Imb],
        &[Symbology::Qr],
        &[Symbology::Code128, Symbology::Imb],
        &[Symbology::Qr, Symbology::Imb],
        &[Symbology::Qr, Symbology::Code128],
    ];
    let kind = prop::sample::select(&KINDS[..]);
    let envelope = (kind, [0.0_f32..400.0, 0.0_f32..400.0], 0_usize..3, 0_usize..90);
    let envelope =
        envelope.prop_map(|(codes, at, gap, stays)| Envelope { codes, at, gap: gap * 4, stays });
    prop::collection::vec(envelope, 1..12)
}

/// A scene with its dice.
struct Scenery {
    camera: Camera,
    rng: prop::test_runner::TestRng,
    harm: Harm,
    readings: BTreeMap<String, u32>,
    /// On how many looks in a row each symbol was not read well.
    badly: BTreeMap<String, u32>,
    delivered: Vec<BTreeSet<String>>,
}

impl Scenery {
    fn chance(&mut self, of: f64) -> bool {
        self.rng.random_range(0.0..1.0) < of
    }

    /// One look at these symbols; which of them were read well.
    fn look(&mut self, symbols: &[Found]) -> Vec<bool> {
        let mut seen = Vec::new();
        let mut well = Vec::new();
        for symbol in symbols {
            let mut symbol = symbol.clone();
            let badly = self.badly.get(&text(&symbol.symbol)).copied().unwrap_or_default();
            let may_fail = badly < BADLY_MAX;
            let is_unread = self.chance(self.harm.unread) && may_fail;
            let is_misread = self.chance(self.harm.misread) && may_fail;
            let is_well = !is_unread && !is_misread;
            self.badly.insert(text(&symbol.symbol), if is_well { 0 } else { badly + 1 });
            well.push(is_well);
            if is_misread {
                symbol.symbol.payload.0 = format!("X{}", self.rng.random::<u64>()).into();
            }
            if !is_unread {
                *self.readings.entry(text(&symbol.symbol)).or_default() += 1;
                seen.push(symbol);
            }
        }
        self.camera.now += STEP;
        let face = self.camera.sightings.looked(&seen, Scene::Changed, self.camera.now);
        if let Some(face) = face {
            for symbol in &face {
                let payload = text(symbol);
                assert!(self.readings[&payload] >= 3, "{payload} was not read often enough");
            }
            self.delivered.push(face.iter().map(text).collect());
        }
        well
    }

    /// Shows an envelope until each of its codes was read well three times in a row, and some looks more.
    fn show(&mut self, symbols: &[Found], stays: usize) {
        let mut in_a_row = vec![0; symbols.len()];
        for _look in 0..10_000 {
            for (n, is_well) in in_a_row.iter_mut().zip(self.look(symbols)) {
                *n = if is_well {
                    *n + 1
                } else if *n >= 3 {
                    *n
                } else {
                    0
                };
            }
            if in_a_row.iter().all(|n| *n >= 3) {
                break;
            }
        }
        for _look in 0..stays {
            self.look(symbols);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_envelope_is_judged_by_itself_in_order_and_no_misread_is_ever_one(
        envelopes in envelopes(),
        unread in 0.0..0.5,
        misread in 0.0..0.15,
        rng in any::<prop::sample::Selector>().prop_perturb(|_, rng| rng),
    ) {
        let harm = Harm { unread, misread };
        let mut scenery = Scenery {
            camera: Camera::new(),
            rng,
            harm,
            readings: BTreeMap::new(),
            badly: BTreeMap::new(),
            delivered: Vec::new(),
        };
        for (n, envelope) in envelopes.iter().enumerate() {
            for _look in 0..envelope.gap {
                scenery.look(&[]);
            }
            scenery.show(&envelope.symbols(n), envelope.stays);
        }
        for _look in 0..100 {
            scenery.look(&[]);
        }
        let number = |payload: &String| {
            let (_symbology, number) = payload.split_once(' ').unwrap();
            number.parse::<usize>().unwrap()
        };
        let whose = |face: &BTreeSet<String>| face.iter().map(number).collect::<BTreeSet<_>>();
        let mut delivered: Vec<_> = scenery.delivered.iter().map(whose).collect();
        // A code that is read late makes one more of the same envelope.
        for (n, envelope) in envelopes.iter().enumerate() {
            let n_faces = delivered.iter().filter(|face| face.contains(&n)).count();
            prop_assert!(n_faces <= envelope.codes.len(), "{:?}", scenery.delivered);
        }
        delivered.dedup();
        let expected: Vec<_> = (0..envelopes.len()).map(|n| BTreeSet::from([n])).collect();
        prop_assert_eq!(delivered, expected, "{:?}", scenery.delivered);
    }
}

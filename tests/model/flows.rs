//! Every move of a ballot as a model sees it, to hold a reconciliation against.

use ballot_intake::ballot::Status;
use ballot_intake::ledger::Reconciliation;
use std::collections::BTreeMap;

/// Where each ballot stands.
pub(crate) type Standing = BTreeMap<u32, Status>;

/// What moved ballots, and how they were issued.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    issued: BTreeMap<&'static str, i64>,
    /// By the status that was come to, or left, and by what.
    came: BTreeMap<(&'static str, &'static str), i64>,
    left: BTreeMap<(&'static str, &'static str), i64>,
}

impl Flows {
    /// Something moved ballots from where they stood before. A file that issues a voided ballot issues it, and then voids it.
    pub(crate) fn note(&mut self, means: &'static str, before: &Standing, after: &Standing) {
        for (ballot, to) in after {
            let from = before.get(ballot).copied().unwrap_or_else(|| {
                let issued = if *to == Status::Voided { Status::Issued } else { *to };
                *self.issued.entry(issued.name()).or_default() += 1;
                issued
            });
            if from != *to {
                *self.came.entry((to.name(), means)).or_default() += 1;
                *self.left.entry((from.name(), means)).or_default() += 1;
            }
        }
    }

    /// The reconciliation says the same, and every sum of it holds.
    pub(crate) fn check(&self, report: &Reconciliation, standing: &Standing) {
        assert!(report.balanced, "{report:#?}");
        assert_eq!(report.issued, i64::try_from(standing.len()).unwrap());
        for flow in &report.moves {
            let of = |side: &BTreeMap<_, i64>, means| {
                side.get(&(flow.status, means)).copied().unwrap_or(0)
            };
            assert_eq!(flow.issued, self.issued.get(flow.status).copied().unwrap_or(0));
            for means in ["scans", "undone", "by_hand", "imports"] {
                assert_eq!(flow.came[means], of(&self.came, means), "{} {means}", flow.status);
                assert_eq!(flow.left[means], of(&self.left, means), "{} {means}", flow.status);
            }
            let now = standing.values().filter(|status| status.name() == flow.status).count();
            assert_eq!(flow.now, i64::try_from(now).unwrap());
        }
    }
}

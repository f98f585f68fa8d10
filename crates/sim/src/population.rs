//! Who is in an org, and what a directory holds of it: users and groups are numbers, and everything else follows from
//! them, so that 200,000 of them cost nothing until somebody asks for a page.

/// In how many groups, "Everyone" apart, a user is where there are as many.
const MEMBERSHIPS: usize = 3;

/// How many users and groups an org has. Group 0 is Okta's built-in "Everyone".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Population {
    pub(crate) users: usize,
    pub(crate) groups: usize,
}

impl Population {
    /// How many groups there are besides "Everyone", which Cloud Identity Engine leaves out (PAN, "Configure Okta
    /// Directory").
    pub(crate) fn own_groups(self) -> usize {
        self.groups.saturating_sub(1)
    }

    /// The groups of a user besides "Everyone", each once.
    pub(crate) fn groups_of(self, user: usize) -> impl Iterator<Item = usize> {
        let own = self.own_groups();
        self.offsets().map(move |offset| 1 + (user + offset) % own)
    }

    /// The members of a group, in ascending order.
    pub(crate) fn members(self, group: usize) -> Members {
        let own = self.own_groups();
        let (modulus, mut residues) = match group {
            0 => (1, vec![0]),
            group => (own.max(1), self.offsets().map(|offset| (group - 1 + own - offset) % own).collect()),
        };
        residues.sort_unstable();
        let rest = residues.iter().filter(|residue| **residue < self.users % modulus).count();
        Members { modulus, count: self.users / modulus * residues.len() + rest, residues }
    }

    /// How far the groups of one user lie apart: evenly, and never so far that one comes twice.
    fn offsets(self) -> impl Iterator<Item = usize> {
        let own = self.own_groups();
        let step = (own / MEMBERSHIPS).max(1);
        (0..own.min(MEMBERSHIPS)).map(move |place| place * step)
    }
}

/// The members of one group: the users whose number leaves one of a few residues.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    modulus: usize,
    residues: Vec<usize>,
    count: usize,
}

impl Members {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The members from the `start`-th on.
    pub(crate) fn from(&self, start: usize) -> impl Iterator<Item = usize> {
        (start..self.count).map(|place| self.at(place))
    }

    /// How many members have at most this number.
    pub(crate) fn up_to(&self, number: usize) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle) <= number { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn at(&self, place: usize) -> usize {
        place / self.residues.len() * self.modulus + self.residues[place % self.residues.len()]
    }
}

/// Which of `of` numbered things a directory holds: all but `lost` ones, which are spread evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    of: usize,
    lost: usize,
}

impl Held {
    pub(crate) fn all_but(lost: usize, of: usize) -> Self {
        Self { of, lost: lost.min(of) }
    }

    pub(crate) fn count(self) -> usize {
        self.of - self.lost
    }

    pub(crate) fn has(self, number: usize) -> bool {
        number < self.of && self.before(number + 1) > self.before(number)
    }

    /// Those that are held, from the `start`-th on.
    pub(crate) fn from(self, start: usize) -> impl Iterator<Item = usize> {
        // The number before which exactly `start` are held, found by halving.
        let (mut low, mut high) = (0, self.of);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.before(middle + 1) <= start { low = middle + 1 } else { high = middle }
        }
        (low..self.of).filter(move |number| self.has(*number))
    }

    /// How many of the first `number` are held.
    fn before(self, number: usize) -> usize {
        number - (number * self.lost).checked_div(self.of).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_membership_agree() {
        for (users, groups) in [(0, 0), (5, 1), (7, 2), (10, 3), (1, 4), (50, 5), (100, 12), (1000, 41)] {
            let world = Population { users, groups };
            assert_eq!(world.members(0).from(0).collect::<Vec<_>>(), (0..users).collect::<Vec<_>>());
            for group in 1..groups {
                let expected: Vec<_> =
                    (0..users).filter(|user| world.groups_of(*user).any(|found| found == group)).collect();
                let members = world.members(group);
                assert_eq!(members.from(0).collect::<Vec<_>>(), expected, "group {group} of {world:?}");
                assert_eq!(members.count(), expected.len());
                assert_eq!(members.from(2).next(), expected.get(2).copied());
                assert_eq!(members.up_to(5), expected.iter().filter(|user| **user <= 5).count());
            }
            for user in 0..users {
                let mut own: Vec<_> = world.groups_of(user).collect();
                own.sort_unstable();
                own.dedup();
                assert_eq!(own.len(), groups.saturating_sub(1).min(3), "user {user} of {world:?}");
            }
        }
    }

    #[test]
    fn what_is_held_is_what_is_not_lost() {
        for (of, lost) in [(0, 0), (0, 3), (1, 0), (1, 1), (10, 0), (10, 1), (10, 3), (10, 10), (97, 13)] {
            let held = Held::all_but(lost, of);
            let expected: Vec<_> = (0..of + 2).filter(|number| held.has(*number)).collect();
            assert_eq!((expected.len(), held.count()), (of - lost.min(of), of - lost.min(of)));
            for start in 0..=expected.len() {
                assert_eq!(held.from(start).collect::<Vec<_>>(), expected[start..], "{held:?} from {start}");
            }
        }
    }
}

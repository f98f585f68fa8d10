//! Who is in an org, and how much of that a directory has collected. Users and groups are numbers, and everything else is
//! computed from the numbers. So 200,000 users cost nothing until a client requests a page.

/// The number of groups of each user besides "Everyone", if the org has that many.
const MEMBERSHIPS: usize = 3;

/// How many users and groups an org has. Group 0 is Okta's built-in "Everyone".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Population {
    pub(crate) users: usize,
    pub(crate) groups: usize,
}

impl Population {
    /// The number of groups without "Everyone", which Cloud Identity Engine leaves out (PAN, "Configure Okta
    /// Directory").
    pub(crate) fn own_groups(self) -> usize {
        self.groups.saturating_sub(1)
    }

    /// The groups of a user without "Everyone". Each comes once.
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

    /// The offsets between the groups of one user: evenly spread, so that no group comes twice.
    fn offsets(self) -> impl Iterator<Item = usize> {
        let own = self.own_groups();
        let step = (own / MEMBERSHIPS).max(1);
        (0..own.min(MEMBERSHIPS)).map(move |place| place * step)
    }
}

/// The members of one group: the users whose number has one of a few residues.
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

    /// The members, starting at the position `start`.
    pub(crate) fn starting_at(&self, start: usize) -> impl Iterator<Item = usize> {
        (start..self.count).map(|place| self.at(place))
    }

    /// The number of members whose number is at most this one.
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

/// Which of `total` numbered objects a directory has collected: all but `missing` ones, which are spread evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    total: usize,
    missing: usize,
}

impl Collected {
    pub(crate) fn all_but(missing: usize, total: usize) -> Self {
        Self { total, missing: missing.min(total) }
    }

    pub(crate) fn count(self) -> usize {
        self.total - self.missing
    }

    pub(crate) fn has(self, number: usize) -> bool {
        number < self.total && self.count_below(number + 1) > self.count_below(number)
    }

    /// The collected numbers, starting at the position `start`.
    pub(crate) fn starting_at(self, start: usize) -> impl Iterator<Item = usize> {
        // Find the number below which exactly `start` are collected, by binary search.
        let (mut low, mut high) = (0, self.total);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.count_below(middle + 1) <= start { low = middle + 1 } else { high = middle }
        }
        (low..self.total).filter(move |number| self.has(*number))
    }

    /// How many of the first `number` are collected.
    fn count_below(self, number: usize) -> usize {
        number - (number * self.missing).checked_div(self.total).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_users_match_members_of_groups() {
        for (users, groups) in [(0, 0), (5, 1), (7, 2), (10, 3), (1, 4), (50, 5), (100, 12), (1000, 41)] {
            let world = Population { users, groups };
            assert_eq!(world.members(0).starting_at(0).collect::<Vec<_>>(), (0..users).collect::<Vec<_>>());
            for group in 1..groups {
                let expected: Vec<_> =
                    (0..users).filter(|user| world.groups_of(*user).any(|found| found == group)).collect();
                let members = world.members(group);
                assert_eq!(members.starting_at(0).collect::<Vec<_>>(), expected, "group {group} of {world:?}");
                assert_eq!(members.count(), expected.len());
                assert_eq!(members.starting_at(2).next(), expected.get(2).copied());
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
    fn everything_that_is_not_missing_is_collected() {
        for (of, lost) in [(0, 0), (0, 3), (1, 0), (1, 1), (10, 0), (10, 1), (10, 3), (10, 10), (97, 13)] {
            let held = Collected::all_but(lost, of);
            let expected: Vec<_> = (0..of + 2).filter(|number| held.has(*number)).collect();
            assert_eq!((expected.len(), held.count()), (of - lost.min(of), of - lost.min(of)));
            for start in 0..=expected.len() {
                assert_eq!(held.starting_at(start).collect::<Vec<_>>(), expected[start..], "{held:?} from {start}");
            }
        }
    }
}

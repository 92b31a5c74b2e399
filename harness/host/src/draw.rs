//! [`Draw`]: a seeded stream of random numbers, the same for a seed for ever.

/// xoshiro256++ (Blackman and Vigna, 2019), its state filled by SplitMix64 as its authors advise. Our own, so that an
/// upgrade of a crate cannot change what a seed means. Not for secrets.
#[derive(Clone, Debug)]
pub struct Draw([u64; 4]);

impl Draw {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut counter = seed;
        Draw(std::array::from_fn(|_| {
            counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = counter;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let drawn = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of the authors' xoshiro256plusplus.c for the state 1, 2, 3, 4.
        let mut draw = Draw([1, 2, 3, 4]);
        let drawn: Vec<_> = (0..4).map(|_| draw.next_u64()).collect();
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn a_seed_repeats_and_seeds_differ() {
        let first = |seed| Draw::new(seed).next_u64();
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }
}

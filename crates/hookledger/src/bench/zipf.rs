//! A few receivers get most deliveries.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// Numbers below a bound, by Zipf's law: each with a probability in proportion to 1 / (number + 1).
#[derive(Debug)]
pub(super) struct Zipf {
    /// The sum of the weights up to each number.
    sums: Vec<f64>,
}

impl Zipf {
    pub(super) fn over(bound: u16) -> Self {
        let mut sum = 0.0;
        let sums = (0..bound).map(|number| {
            sum += 1.0 / (f64::from(number) + 1.0);
            sum
        });
        Self { sums: sums.collect() }
    }

    pub(super) fn pick(&self, rng: &mut Xoshiro256PlusPlus) -> u16 {
        let all = self.sums.last().copied().expect("the bound is not 0");
        let drawn = rng.random_range(0.0..all);
        u16::try_from(self.sums.partition_point(|sum| *sum <= drawn)).expect("it is below the bound")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_second_is_picked_half_as_often_as_the_first() {
        let (zipf, mut rng) = (Zipf::over(450), Xoshiro256PlusPlus::seed_from_u64(1));
        let mut picked = vec![0_i32; 450];
        for _ in 0..100_000 {
            picked[usize::from(zipf.pick(&mut rng))] += 1;
        }
        assert!((picked[0] - 2 * picked[1]).abs() < picked[0] / 10, "{picked:?}");
        assert!(picked[449] > 0, "{picked:?}");
    }
}

//! Numbers that look like chance and follow from a seed.

/// SplitMix64 (Steele, Lea and Flood 2014): small, quick, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// The numbers of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Noise {
        Noise(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number from 0 up to, but not including, 1.
    pub const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether something happens that happens so many times in a million.
    pub const fn happens(&mut self, per_million: u32) -> bool {
        // Drawn even where it cannot happen, so that the other numbers stay what they are when a share is changed.
        self.bits() % 1_000_000 < per_million as u64
    }

    /// The next number of the normal distribution with mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(2.0 * core::f64::consts::PI * angle)
    }

    /// Fills bytes, for ids.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.bits().to_be_bytes();
            chunk.copy_from_slice(drawn.get(..chunk.len()).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_means_the_same_and_the_spread_is_right() {
        // The first number of seed 0 in the published generator.
        assert_eq!(Noise::new(0).bits(), 0xe220_a839_7b1d_cdaf);
        let mut noise = Noise::new(7);
        let drawn: Vec<f64> = (0..20_000).map(|_| noise.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let hits = (0..100_000).filter(|_| noise.happens(2_000)).count();
        assert!((120..=280).contains(&hits), "{hits}");
    }
}

//! Statistics of a run (quant reference 12 and 14), each with the number of observations that it rests on.
//!
//! Floats: these judge, and move no money.

use serde::Serialize;

/// A statistic, and how many observations it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its value; `None` when it is not defined for these observations.
    pub value: Option<f64>,
    /// How many observations it rests on.
    pub n: usize,
    /// With fewer observations than this it means little.
    pub least: usize,
}

impl Figure {
    /// A statistic of `n` observations that needs `least` to mean something.
    #[must_use]
    pub fn new(name: impl Into<String>, value: Option<f64>, n: usize, least: usize) -> Figure {
        Figure { name: name.into(), value: value.filter(|value| value.is_finite()), n, least }
    }

    /// Whether too few observations stand behind it.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        self.n < self.least
    }
}

/// The mean; `None` of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// A central moment: the mean of the deviations to this power.
fn moment(values: &[f64], power: i32) -> Option<f64> {
    let mean = mean(values)?;
    Some(values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / values.len() as f64)
}

/// The standard deviation of a sample (one degree of freedom less); `None` of fewer than two values.
#[must_use]
pub fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    Some((moment(values, 2)? * n / (n - 1.0)).sqrt())
}

/// Mean over standard deviation of the returns of a period; not annualised. `None` when they do not vary.
#[must_use]
pub fn sharpe(returns: &[f64]) -> Option<f64> {
    let deviation = deviation(returns).filter(|deviation| *deviation > 0.0)?;
    Some(mean(returns)? / deviation)
}

/// Mean above `least` over the deviation below it, which is taken over all periods. `None` when nothing is below.
#[must_use]
pub fn sortino(returns: &[f64], least: f64) -> Option<f64> {
    let n = returns.len() as f64;
    let below = (returns.iter().map(|r| (r - least).min(0.0).powi(2)).sum::<f64>() / n).sqrt();
    (below > 0.0).then_some((mean(returns)? - least) / below)
}

/// The probability that the true Sharpe ratio is above `benchmark`, per period (Bailey and López de Prado, 2012).
#[must_use]
pub fn probabilistic_sharpe(returns: &[f64], benchmark: f64) -> Option<f64> {
    let (ratio, variance) = (sharpe(returns)?, moment(returns, 2)?);
    let skew = moment(returns, 3)? / variance.powf(1.5);
    let kurtosis = moment(returns, 4)? / (variance * variance);
    let spread = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio;
    let n = returns.len() as f64;
    (spread > 0.0).then(|| normal((ratio - benchmark) * (n - 1.0).sqrt() / spread.sqrt()))
}

/// The standard normal distribution function.
#[must_use]
pub fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The deepest fall from a peak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Drawdown {
    /// In units of the equity.
    pub value: f64,
    /// As a part of the peak.
    pub part: f64,
    /// The longest time between a peak and the next higher one, or the end, in units of the time.
    pub longest: f64,
}

/// Follows an equity and its drawdown, value by value.
#[derive(Clone, Copy, Debug, Default)]
pub struct DrawdownMeter {
    peak: Option<(f64, f64)>,
    worst: Drawdown,
}

impl DrawdownMeter {
    /// Takes the next value; how far it is below the peak.
    pub fn add(&mut self, time: f64, equity: f64) -> f64 {
        let (since, peak) = *self.peak.get_or_insert((time, equity));
        self.worst.longest = self.worst.longest.max(time - since);
        if equity >= peak {
            self.peak = Some((time, equity));
            return 0.0;
        }
        let fall = peak - equity;
        self.worst.value = self.worst.value.max(fall);
        if peak > 0.0 {
            self.worst.part = self.worst.part.max(fall / peak);
        }
        fall
    }

    /// The deepest so far.
    #[must_use]
    pub const fn worst(&self) -> Drawdown {
        self.worst
    }
}

/// Gains over losses; `None` when nothing was lost.
#[must_use]
pub fn profit_factor(values: &[f64]) -> Option<f64> {
    let gains: f64 = values.iter().filter(|v| **v > 0.0).sum();
    let losses: f64 = values.iter().filter(|v| **v < 0.0).sum();
    (losses < 0.0).then_some(gains / -losses)
}

/// The part of the values that are above zero.
#[must_use]
pub fn hit_rate(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().filter(|v| **v > 0.0).count() as f64 / values.len() as f64)
}

/// How fast an inventory that is looked at every so often goes back to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct HalfLife {
    last: Option<f64>,
    cross: f64,
    square: f64,
    n: usize,
}

/// The time in which an inventory halves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Halves {
    /// In this many units of the time between two looks.
    In(f64),
    /// Faster than it is looked at.
    AtOnce,
    /// It does not.
    Never,
}

impl HalfLife {
    /// Takes the next look.
    pub fn add(&mut self, held: f64) {
        if let Some(last) = self.last.replace(held) {
            self.cross += held * last;
            self.square += last * last;
            self.n += 1;
        }
    }

    /// Goes on with what was looked at later. Between the two nothing is compared.
    pub(crate) fn go_on(&mut self, later: &HalfLife) {
        self.last = later.last;
        self.cross += later.cross;
        self.square += later.square;
        self.n += later.n;
    }

    /// How much of it is left from one look to the next.
    #[must_use]
    pub fn persistence(&self) -> Option<f64> {
        (self.square > 0.0).then(|| self.cross / self.square)
    }

    /// The half-life; `None` when nothing was held.
    #[must_use]
    pub fn halves(&self) -> Option<Halves> {
        let phi = self.persistence()?;
        Some(match phi {
            _ if phi <= 0.0 => Halves::AtOnce,
            _ if phi >= 1.0 => Halves::Never,
            _ => Halves::In(-std::f64::consts::LN_2 / phi.ln()),
        })
    }

    /// How many pairs of looks there were.
    #[must_use]
    pub const fn n(&self) -> usize {
        self.n
    }
}

/// A sequence of numbers that looks random and is the same every time: for resampling only.
#[derive(Clone, Copy, Debug)]
pub struct Draws(u64);

impl Draws {
    /// A sequence from its seed.
    #[must_use]
    pub const fn new(seed: u64) -> Draws {
        Draws(seed)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is more than none.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// A number from 0 to 1, 1 excluded.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How often a bootstrap draws.
const RESAMPLES: usize = 2_000;

/// The middle nine tenths of what `of` gives for as many blocks drawn with replacement: markets are the blocks of a profit, not fills.
/// `None` of fewer than two blocks.
pub fn bootstrap<T: Copy>(blocks: &[T], seed: u64, of: impl Fn(&[T]) -> Option<f64>) -> Option<(f64, f64)> {
    if blocks.len() < 2 {
        return None;
    }
    let (mut draws, mut drawn) = (Draws::new(seed), Vec::with_capacity(blocks.len()));
    let mut values: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            drawn.clear();
            drawn.extend((0..blocks.len()).map(|_| blocks[draws.below(blocks.len())]));
            of(&drawn)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    Some((quantile(&values, 0.05)?, quantile(&values, 0.95)?))
}

/// A quantile of sorted values: the nearest rank.
#[must_use]
pub fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let rank = (part * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

/// One of ten bins of a calibration: how often it happened when it was said to be about this likely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many statements.
    pub n: usize,
    /// Their mean.
    pub stated: f64,
    /// The part that came true.
    pub happened: f64,
}

/// How good stated probabilities were.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// How many statements.
    pub n: usize,
    /// The mean squared error: 0 is perfect, 0.25 is what a coin gets.
    pub brier: Option<f64>,
    /// The mean logarithmic loss, probabilities kept within 0.000001 of certainty.
    pub log_loss: Option<f64>,
    /// Ten bins of equal width.
    pub bins: [Bin; 10],
}

/// Compares stated probabilities with what happened.
#[must_use]
pub fn calibrate(statements: &[(f64, bool)]) -> Calibration {
    let mut bins = [Bin::default(); 10];
    let (mut squares, mut logs) = (0.0, 0.0);
    for &(stated, happened) in statements {
        let truth = f64::from(u8::from(happened));
        squares += (stated - truth).powi(2);
        let sure = if happened { stated } else { 1.0 - stated };
        logs -= sure.clamp(1e-6, 1.0).ln();
        let bin = &mut bins[((stated * 10.0) as usize).min(9)];
        bin.n += 1;
        bin.stated += stated;
        bin.happened += truth;
    }
    for bin in bins.iter_mut().filter(|bin| bin.n > 0) {
        bin.stated /= bin.n as f64;
        bin.happened /= bin.n as f64;
    }
    let n = statements.len();
    let of = |sum: f64| (n > 0).then(|| sum / n as f64);
    Calibration { n, brier: of(squares), log_loss: of(logs), bins }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quant reference 14.
    const RETURNS: [f64; 10] = [0.004, -0.002, 0.003, 0.006, -0.005, 0.001, 0.002, -0.001, 0.004, 0.003];

    fn near(value: Option<f64>, expected: f64, within: f64) {
        assert!(value.is_some_and(|value| (value - expected).abs() < within), "{value:?} is not {expected}");
    }

    #[test]
    fn the_worked_returns_of_the_reference() {
        near(mean(&RETURNS), 0.0015, 1e-12);
        near(deviation(&RETURNS), 0.00331, 5e-6);
        near(sharpe(&RETURNS), 0.453, 5e-4);
        near(sharpe(&RETURNS).map(|ratio| ratio * 365f64.sqrt()), 8.66, 5e-3);
        near(sortino(&RETURNS, 0.0), 0.866, 5e-4);
        near(probabilistic_sharpe(&RETURNS, 0.0), 0.877, 5e-4);
        let (mut meter, mut equity) = (DrawdownMeter::default(), 1.0);
        meter.add(0.0, equity);
        for (day, change) in RETURNS.iter().enumerate() {
            equity *= 1.0 + change;
            meter.add(day as f64 + 1.0, equity);
        }
        near(Some(meter.worst().part), 0.005, 1e-9);
        near(hit_rate(&RETURNS), 0.7, 1e-12);
        near(profit_factor(&RETURNS), 23.0 / 8.0, 1e-9);
    }

    #[test]
    fn the_worked_inventory_of_the_reference() {
        let mut life = HalfLife::default();
        for held in [100.0, 82.0, 70.0, 61.0, 47.0, 40.0, 30.0, 27.0, 20.0, 18.0] {
            life.add(held);
        }
        near(life.persistence(), 0.8295, 5e-5);
        let Some(Halves::In(looks)) = life.halves() else { panic!("{:?}", life.halves()) };
        near(Some(looks * 5.0), 18.5, 0.05);
        assert_eq!(life.n(), 9);
        let (mut flips, mut grows) = (HalfLife::default(), HalfLife::default());
        [1.0, -1.0, 1.0].into_iter().for_each(|held| flips.add(held));
        [1.0, 2.0, 4.0].into_iter().for_each(|held| grows.add(held));
        assert_eq!((flips.halves(), grows.halves()), (Some(Halves::AtOnce), Some(Halves::Never)));
        assert_eq!(HalfLife::default().halves(), None);
    }

    #[test]
    fn nothing_is_made_of_too_little() {
        assert_eq!((mean(&[]), deviation(&[1.0]), sharpe(&[1.0, 1.0])), (None, None, None));
        assert_eq!((sortino(&[0.1], 0.0), probabilistic_sharpe(&[0.1], 0.0)), (None, None));
        assert_eq!((profit_factor(&[1.0]), hit_rate(&[]), quantile(&[], 0.5)), (None, None, None));
        let figure = Figure::new("x", Some(f64::NAN), 10, 30);
        assert!(figure.is_weak() && figure.value.is_none());
    }

    #[test]
    fn a_drawdown_lasts_until_a_higher_peak() {
        let mut meter = DrawdownMeter::default();
        let falls = [(0.0, 10.0), (1.0, 8.0), (2.0, 9.0), (5.0, 10.0), (6.0, 9.5)].map(|(t, e)| meter.add(t, e));
        assert_eq!(falls.map(|fall| fall.to_string()), ["0", "2", "1", "0", "0.5"]);
        assert_eq!(meter.worst(), Drawdown { value: 2.0, part: 0.2, longest: 5.0 });
    }

    #[test]
    fn the_bootstrap_surrounds_the_sum_and_is_the_same_every_time() {
        let blocks = [1.0, -2.0, 3.0, 0.5, 4.0, -1.0, 2.0, 0.0];
        let sum = |blocks: &[f64]| Some(blocks.iter().sum::<f64>());
        let (low, high) = bootstrap(&blocks, 1, sum).expect("eight blocks");
        assert!(low < 7.5 && 7.5 < high && low < 0.0 && high > 14.0, "{low} {high}");
        assert_eq!(bootstrap(&blocks, 1, sum), Some((low, high)));
        assert_eq!(bootstrap(&[1.0], 1, sum), None);
    }

    #[test]
    fn stated_probabilities_are_held_against_what_happened() {
        let calibration = calibrate(&[(0.9, true), (0.95, true), (0.92, false), (0.1, false)]);
        near(calibration.brier, (0.01 + 0.0025 + 0.8464 + 0.01) / 4.0, 1e-12);
        let logs = -(0.9f64.ln() + 0.95f64.ln() + 0.08f64.ln() + 0.9f64.ln()) / 4.0;
        near(calibration.log_loss, logs, 1e-9);
        assert_eq!((calibration.bins[9].n, calibration.bins[1].n, calibration.n), (3, 1, 4));
        near(Some(calibration.bins[9].happened), 2.0 / 3.0, 1e-12);
        assert_eq!(calibrate(&[]).brier, None);
    }

    #[test]
    fn the_normal_distribution_at_known_points() {
        near(Some(normal(0.0)), 0.5, 1e-15);
        near(Some(normal(1.959_963_985)), 0.975, 1e-9);
    }
}

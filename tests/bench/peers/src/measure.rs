//! Times of this thread, and the tables that they fill.

use crate::decoders::Decoder;
use crate::pictures::{Gallery, Shown};
use ballot_intake::decode::Looker;
use ballot_intake::scan::Symbology;
use rustix::time::{ClockId, clock_gettime};

/// What one decoder did on one picture.
#[derive(Debug)]
pub(crate) struct Look {
    /// Which truths were read.
    pub(crate) read: Vec<bool>,
    /// Texts that are no truth of the picture.
    pub(crate) wrong: Vec<Vec<u8>>,
    /// The median of its times, in milliseconds.
    pub(crate) ms: f64,
}

/// What every decoder did on every picture: by decoder, then by picture.
pub(crate) type Looks = Vec<(Decoder, Vec<Look>)>;

/// The time this thread has had on a core, in milliseconds.
fn thread_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The median of so many runs, in milliseconds, and what the last one answered.
pub(crate) fn timed<T>(repeats: usize, mut run: impl FnMut() -> T) -> (f64, T) {
    let mut times = Vec::new();
    loop {
        let started = thread_ms();
        let answer = std::hint::black_box(run());
        times.push(thread_ms() - started);
        if times.len() >= repeats {
            return (quantile(&times, 0.5), answer);
        }
    }
}

/// The value that a share of them, 0 to 1, does not exceed.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// Lets every decoder look at every picture, one after the other on each, so that none has the quieter machine.
pub(crate) fn looks(gallery: &Gallery, repeats: usize) -> Looks {
    let mut looker = Looker::default();
    let mut looks: Looks = Decoder::ALL.map(|decoder| (decoder, Vec::new())).into();
    for shown in &gallery.pictures {
        for (decoder, looks) in &mut looks {
            let (ms, texts) = timed(repeats, || decoder.read(&mut looker, &shown.picture));
            looks.push(look(shown, ms, &texts));
        }
    }
    looks
}

fn look(shown: &Shown, ms: f64, texts: &[Vec<u8>]) -> Look {
    let says = |text: &[u8], payload: &str| {
        let latin: Vec<u8> =
            payload.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect();
        text == payload.as_bytes() || text == payload.trim_end().as_bytes() || text == latin
    };
    let read = shown
        .truths
        .iter()
        .map(|truth| texts.iter().any(|text| says(text, &truth.payload)))
        .collect();
    let is_known = |text: &&Vec<u8>| !shown.truths.iter().any(|truth| says(text, &truth.payload));
    let wrong = texts.iter().filter(is_known).cloned().collect();
    Look { read, wrong, ms }
}

/// The table of a gallery: read by symbology, wrong, and times.
pub(crate) fn print_table(gallery: &Gallery, looks: &Looks) {
    let truths = || gallery.pictures.iter().flat_map(|shown| &shown.truths);
    let present: Vec<Symbology> = Symbology::ALL
        .into_iter()
        .filter(|symbology| truths().any(|truth| truth.symbology == *symbology))
        .collect();
    println!("\n### {}: {} pictures\n", gallery.name, gallery.pictures.len());
    let heads: String = present
        .iter()
        .map(|symbology| {
            let all = truths().filter(|truth| truth.symbology == *symbology).count();
            format!(" {} /{all} |", symbology.name())
        })
        .collect();
    println!("| decoder |{heads} wrong | median ms | p95 ms |");
    println!("| --- |{} ---: | ---: | ---: |", " ---: |".repeat(present.len()));
    for (decoder, looks) in looks {
        let cells: String = present
            .iter()
            .map(|symbology| match decoder.wants(*symbology) {
                true => format!(" {} |", n_read(gallery, looks, *symbology, |_| true).0),
                false => " - |".to_owned(),
            })
            .collect();
        let wrong: usize = looks.iter().map(|look| look.wrong.len()).sum();
        let times: Vec<f64> = looks.iter().map(|look| look.ms).collect();
        let [median, late] = [0.5, 0.95].map(|share| quantile(&times, share));
        println!("| {} |{cells} {wrong} | {median:.2} | {late:.2} |", decoder.name());
    }
    print_ratios(looks);
    print_wrong(gallery, looks);
}

/// How many symbols of a symbology were read on the pictures that are wanted, and how many there are.
fn n_read(
    gallery: &Gallery,
    looks: &[Look],
    symbology: Symbology,
    wanted: impl Fn(&Shown) -> bool,
) -> (usize, usize) {
    let symbols = gallery
        .pictures
        .iter()
        .zip(looks)
        .filter(|(shown, _)| wanted(shown))
        .flat_map(|(shown, look)| shown.truths.iter().zip(&look.read))
        .filter(|(truth, _)| truth.symbology == symbology);
    let (read, missed): (Vec<_>, Vec<_>) = symbols.partition(|(_, is_read)| **is_read);
    (read.len(), read.len() + missed.len())
}

fn print_ratios(looks: &Looks) {
    let median = |wanted: Decoder| {
        let times = looks
            .iter()
            .find(|(decoder, _)| *decoder == wanted)
            .map(|(_, looks)| looks.iter().map(|look| look.ms).collect::<Vec<_>>());
        quantile(&times.unwrap_or_default(), 0.5)
    };
    println!(
        "\nRatios of medians: ours 1D to zxing-cpp 1D {:.2}; ours six + IMb to zxing-cpp six {:.3}, to zxing-cpp 1D {:.2}, to rxing {:.3}.",
        median(Decoder::OursBars) / median(Decoder::CppBars),
        median(Decoder::Ours) / median(Decoder::Cpp),
        median(Decoder::Ours) / median(Decoder::CppBars),
        median(Decoder::Ours) / median(Decoder::Rxing),
    );
}

fn print_wrong(gallery: &Gallery, looks: &Looks) {
    for (decoder, looks) in looks {
        for (shown, look) in gallery.pictures.iter().zip(looks) {
            for text in &look.wrong {
                let text = text.escape_ascii();
                println!("- wrong, {}: {}: `{text}`", decoder.name(), shown.name);
            }
        }
    }
}

/// What was read of the symbols without a second dimension, and of the others, by what befell the face.
pub(crate) fn print_harms(gallery: &Gallery, looks: &Looks) {
    let mut harms: Vec<&str> =
        gallery.pictures.iter().flat_map(|shown| shown.harms.clone()).collect();
    harms.sort_unstable();
    harms.dedup();
    println!("\n| read of 1D ; of the others | {} |", harms.join(" | "));
    println!("| --- |{}", " ---: |".repeat(harms.len()));
    for (decoder, looks) in looks {
        let cells: String = harms
            .iter()
            .map(|harm| {
                let sum = |wants_bars: bool| {
                    let of = Symbology::ALL.into_iter().filter(|symbology| {
                        decoder.wants(*symbology)
                            && crate::decoders::BARS.contains(symbology) == wants_bars
                    });
                    of.map(|symbology| {
                        n_read(gallery, looks, symbology, |shown| shown.harms.contains(harm))
                    })
                    .fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
                };
                let ((bars, all_bars), (others, all_others)) = (sum(true), sum(false));
                format!(" {bars}/{all_bars} ; {others}/{all_others} |")
            })
            .collect();
        println!("| {} |{cells}", decoder.name());
    }
}

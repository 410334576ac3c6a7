//! Ours and the peers, each from a picture to the texts it reports.

use ballot_intake::decode::Looker;
use ballot_intake::decode::image::Picture;
use ballot_intake::scan::Symbology;
use rxing::{BarcodeFormat, DecodeHints};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zxingcpp::{BarcodeFormat as Format, ImageFormat, ImageView, TextMode};

/// The symbologies without a second dimension that county symbols have.
pub(crate) const BARS: [Symbology; 3] = [Symbology::Code128, Symbology::Code39, Symbology::Itf];

/// A decoder with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoder {
    OursBars,
    Ours,
    CppBars,
    Cpp,
    Rxing,
}

impl Decoder {
    pub(crate) const ALL: [Self; 5] =
        [Self::OursBars, Self::Ours, Self::CppBars, Self::Cpp, Self::Rxing];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OursBars => "ours, 1D",
            Self::Ours => "ours, six + IMb",
            Self::CppBars => "zxing-cpp, 1D, defaults",
            Self::Cpp => "zxing-cpp, six, defaults",
            Self::Rxing => "rxing, six, TRY_HARDER (first symbol)",
        }
    }

    /// Whether it looks for that symbology at all.
    pub(crate) fn wants(self, symbology: Symbology) -> bool {
        match self {
            Self::OursBars | Self::CppBars => BARS.contains(&symbology),
            Self::Ours => true,
            Self::Cpp | Self::Rxing => symbology != Symbology::Imb,
        }
    }

    /// What it reads on the picture, as bytes. Ours looks with a looker that is kept, as the daemon's decoders keep theirs.
    pub(crate) fn read(self, looker: &mut Looker, picture: &Picture) -> Vec<Vec<u8>> {
        match self {
            Self::OursBars => ours(looker, picture, &BARS),
            Self::Ours => ours(looker, picture, &Symbology::ALL),
            Self::CppBars => cpp(picture, &[Format::Code128, Format::Code39, Format::ITF]),
            Self::Cpp => cpp(
                picture,
                &[
                    Format::Code128,
                    Format::Code39,
                    Format::ITF,
                    Format::PDF417,
                    Format::QRCode,
                    Format::DataMatrix,
                ],
            ),
            Self::Rxing => rxing(picture),
        }
    }
}

fn ours(looker: &mut Looker, picture: &Picture, wanted: &[Symbology]) -> Vec<Vec<u8>> {
    let found = looker.look(picture, wanted).unwrap_or_default();
    found.into_iter().map(|found| found.symbol.payload.0).collect()
}

fn cpp(picture: &Picture, formats: &[Format]) -> Vec<Vec<u8>> {
    let view =
        ImageView::from_slice(picture.luma(), picture.width(), picture.height(), ImageFormat::Lum);
    // Without it GS1 texts come as people read them, with brackets that are not in the symbol.
    let reader = zxingcpp::read().formats(formats).text_mode(TextMode::Plain);
    let found = view.and_then(|view| reader.from(view)).unwrap_or_default();
    found.into_iter().map(|found| found.text().into_bytes()).collect()
}

fn rxing(picture: &Picture) -> Vec<Vec<u8>> {
    let formats = [
        BarcodeFormat::CODE_128,
        BarcodeFormat::CODE_39,
        BarcodeFormat::ITF,
        BarcodeFormat::PDF_417,
        BarcodeFormat::QR_CODE,
        BarcodeFormat::DATA_MATRIX,
    ];
    let mut hints = DecodeHints {
        TryHarder: Some(true),
        PossibleFormats: Some(HashSet::from(formats)),
        ..DecodeHints::default()
    };
    let (luma, width, height) = (picture.luma().to_vec(), picture.width(), picture.height());
    let read = catch_unwind(AssertUnwindSafe(|| {
        rxing::helpers::detect_in_luma_with_hints(luma, width, height, None, &mut hints)
    }));
    match read {
        Ok(Ok(found)) => vec![found.getText().as_bytes().to_vec()],
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

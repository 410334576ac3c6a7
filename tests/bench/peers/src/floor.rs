//! The least that a look at a picture can cost: passes that do nothing else.

use ballot_intake::decode::image::Picture;

/// The side of a tile, in pixels.
const TILE: usize = 16;

/// Every so many rows are looked at for the tensor, and for the difference.
const TENSOR_STEP: usize = 4;
const DIFFERENCE_STEP: usize = 8;

/// One structure-tensor pass on every 4th row: the sums of the products of central differences, by tile.
pub(crate) fn tensor(picture: &Picture) -> Vec<[i32; 3]> {
    let width = usize::try_from(picture.width()).unwrap_or(0);
    let rows: Vec<&[u8]> = picture.luma().chunks_exact(width.max(1)).collect();
    let columns = width.saturating_sub(2) / TILE;
    let mut tiles = vec![[0; 3]; columns * rows.len().div_ceil(TILE)];
    for y in (1..rows.len().saturating_sub(1)).step_by(TENSOR_STEP) {
        let band = tiles.iter_mut().skip(y / TILE * columns);
        let (above, here, below) = (rows[y - 1], rows[y], rows[y + 1]);
        let sides = here.chunks_exact(TILE).zip(here[2..].chunks_exact(TILE));
        let ends = above[1..].chunks_exact(TILE).zip(below[1..].chunks_exact(TILE));
        for ((tile, (left, right)), (above, below)) in band.zip(sides).zip(ends) {
            let [mut xx, mut yy, mut xy] = [0; 3];
            for ((left, right), (above, below)) in
                left.iter().zip(right).zip(above.iter().zip(below))
            {
                let across = i32::from(*right) - i32::from(*left);
                let down = i32::from(*below) - i32::from(*above);
                xx += across * across;
                yy += down * down;
                xy += across * down;
            }
            tile[0] += xx;
            tile[1] += yy;
            tile[2] += xy;
        }
    }
    tiles
}

/// How much every 8th row differs from another picture's, beginning with this row.
pub(crate) fn difference(one: &Picture, other: &Picture, first: usize) -> u64 {
    let width = usize::try_from(one.width()).unwrap_or(0).max(1);
    let rows = one.luma().chunks_exact(width).zip(other.luma().chunks_exact(width));
    rows.skip(first % DIFFERENCE_STEP)
        .step_by(DIFFERENCE_STEP)
        .map(|(one, other)| {
            let sum: u32 = one.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            u64::from(sum)
        })
        .sum()
}

//! The version of the rows' layout.

use crate::error::ViewsError;
use crate::{keys, rows};

/// The layout of the rows. Views of another layout are made anew from the log.
pub(crate) const VERSION: u32 = 1;

/// Refuses rows of another layout; a new tree gets this one.
pub(crate) fn check(tree: &sled::Tree) -> Result<(), ViewsError> {
    match rows::get(tree, keys::LAYOUT)? {
        Some(row) => match rows::decode(keys::LAYOUT, &row)? {
            VERSION => Ok(()),
            found => Err(ViewsError::Layout { found }),
        },
        None => write(tree, VERSION),
    }
}

fn write(tree: &sled::Tree, version: u32) -> Result<(), ViewsError> {
    let mut batch = sled::Batch::default();
    rows::put(&mut batch, tree, keys::LAYOUT, &rows::encode(&version))?;
    tree.apply_batch(batch).map_err(ViewsError::Write)
}

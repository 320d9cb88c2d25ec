//! The version of the pages' layout.

use crate::error::ViewsError;
use crate::pages::decode;

/// The layout of the pages. Views of another layout are made anew from the log.
///
/// Layout 1 was one key per row, in a tree called `views`.
pub(crate) const VERSION: u32 = 2;

const TREE: &str = "pages";
const TREE_OF_LAYOUT_1: &str = "views";
const LAYOUT: &[u8] = b"layout";

/// The tree of the pages; a new one gets this layout.
pub(crate) fn open(db: &sled::Db) -> Result<sled::Tree, ViewsError> {
    if db.tree_names().iter().any(|name| name == TREE_OF_LAYOUT_1.as_bytes()) {
        return Err(ViewsError::Layout { found: 1 });
    }
    let tree = db.open_tree(TREE).map_err(ViewsError::Open)?;
    match tree.get(LAYOUT).map_err(ViewsError::Read)? {
        Some(layout) => match decode(|| LAYOUT.to_vec(), &layout)? {
            VERSION => Ok(tree),
            found => Err(ViewsError::Layout { found }),
        },
        None => {
            tree.insert(LAYOUT, crate::pages::encode(&VERSION)).map_err(ViewsError::Write)?;
            Ok(tree)
        }
    }
}

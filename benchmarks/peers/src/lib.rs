//! Nothing of its own: the tests hold our queue models against those of hftbacktest, which is too heavy for the workspace.

//! Wire formats over one core: each dialect parses, makes one service call and renders.

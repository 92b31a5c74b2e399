//! squall-tests

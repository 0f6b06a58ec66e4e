//! What differs from the model.

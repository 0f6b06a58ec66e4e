/// Where exports are, and whether they have to follow upon each other.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Origin {
    /// A folder with `AWSDynamoDB/`, an export's own folder or its manifest, a folder or file of
    /// items; a path or a URL.
    pub place: String,
    /// Whether windows are applied although changes between them are missing.
    pub over_gaps: bool,
}

impl Origin {
    /// Exports that follow upon each other.
    #[must_use]
    pub fn new(place: impl Into<String>) -> Self {
        Self { place: place.into(), over_gaps: false }
    }

    /// Whether gaps between windows are gone over, each with a remark.
    #[must_use]
    pub fn with_over_gaps(mut self, allow: bool) -> Self {
        self.over_gaps = allow;
        self
    }
}

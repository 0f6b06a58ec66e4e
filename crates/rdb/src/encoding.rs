//! How a value lies in the dump: the object-type byte, read within its family.

use std::fmt;

use crate::error::ErrorKind;
use crate::record::Kind;

/// Whose dump it is. The magic tells; some numbers mean different things in the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "the format knows two magics")]
pub enum Family {
    /// `REDIS`: Redis of any version, Valkey up to 8, and the services that speak like them.
    Redis,
    /// `VALKEY`: Valkey 9 and later.
    Valkey,
}

impl Family {
    /// The newest RDB version of this family that the tests of this crate know.
    #[must_use]
    pub const fn tested_version(self) -> u16 {
        match self {
            Self::Redis => 15,
            Self::Valkey => 81,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        })
    }
}

macro_rules! layouts {
    ($($(#[$doc:meta])* $layout:ident $name:literal $kind:ident $redis:expr, $valkey:expr;)*) => {
        /// Every layout of a value that this crate reads, whatever its number is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Layout { $($(#[$doc])* $layout,)* }

        impl Layout {
            const ALL: &'static [Self] = &[$(Self::$layout,)*];

            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$layout => $name,)* }
            }

            pub(crate) const fn kind(self) -> Kind {
                match self { $(Self::$layout => Kind::$kind,)* }
            }

            const fn byte(self, family: Family) -> Option<u8> {
                match (self, family) {
                    $((Self::$layout, Family::Redis) => $redis,
                      (Self::$layout, Family::Valkey) => $valkey,)*
                }
            }

            #[inline]
            const fn of(family: Family, byte: u8) -> Option<Self> {
                let mut at = 0;
                while at < Self::ALL.len() {
                    if let Some(own) = Self::ALL[at].byte(family) && own == byte {
                        return Some(Self::ALL[at]);
                    }
                    at += 1;
                }
                None
            }
        }
    };
}

layouts! {
    String "string" String Some(0), Some(0);
    List "list" List Some(1), Some(1);
    Set "set" Set Some(2), Some(2);
    /// Scores as text.
    Zset "zset" SortedSet Some(3), Some(3);
    Hash "hash" Hash Some(4), Some(4);
    /// Scores as doubles.
    Zset2 "zset_2" SortedSet Some(5), Some(5);
    Module2 "module_2" Module Some(7), Some(7);
    HashZipmap "hash_zipmap" Hash Some(9), Some(9);
    ListZiplist "list_ziplist" List Some(10), Some(10);
    SetIntset "set_intset" Set Some(11), Some(11);
    ZsetZiplist "zset_ziplist" SortedSet Some(12), Some(12);
    HashZiplist "hash_ziplist" Hash Some(13), Some(13);
    Quicklist "list_quicklist" List Some(14), Some(14);
    Stream1 "stream" Stream Some(15), Some(15);
    HashListpack "hash_listpack" Hash Some(16), Some(16);
    ZsetListpack "zset_listpack" SortedSet Some(17), Some(17);
    Quicklist2 "list_quicklist_2" List Some(18), Some(18);
    Stream2 "stream_2" Stream Some(19), Some(19);
    SetListpack "set_listpack" Set Some(20), Some(20);
    Stream3 "stream_3" Stream Some(21), Some(21);
    HashMetadataPreGa "hash_metadata_pre_ga" Hash Some(22), None;
    HashListpackExPreGa "hash_listpack_ex_pre_ga" Hash Some(23), None;
    HashMetadata "hash_metadata" Hash Some(24), None;
    HashListpackEx "hash_listpack_ex" Hash Some(25), None;
    Stream4 "stream_4" Stream Some(26), None;
    Stream5 "stream_5" Stream Some(27), None;
    Array "array" Array Some(28), None;
    HashTemplateListpack "hash_template_listpack" Hash Some(29), None;
    HashTemplateListpackRef "hash_template_listpack_ref" Hash Some(30), None;
    HashTemplateArray "hash_template_array" Hash Some(31), None;
    HashTemplateArrayRef "hash_template_array_ref" Hash Some(32), None;
    ValkeyHash2 "valkey_hash_2" Hash None, Some(22);
}

/// The table of [`Layout::of`], worked out at compile time: it is asked for every record.
static REDIS: [Option<Layout>; 256] = table(Family::Redis);
static VALKEY: [Option<Layout>; 256] = table(Family::Valkey);

const fn table(family: Family) -> [Option<Layout>; 256] {
    let mut table = [None; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = Layout::of(family, byte as u8);
        byte += 1;
    }
    table
}

/// How a value lies in the dump: its object type, as one family of servers numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    family: Family,
    byte: u8,
    pub(crate) layout: Layout,
}

impl Encoding {
    pub(crate) const STRING: Self = Self { family: Family::Redis, byte: 0, layout: Layout::String };

    /// The encoding that a family writes as this type byte.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ModulePreGa`] for type 6, whose extent nobody can know, and
    /// [`ErrorKind::UnknownType`] for a byte that names no type of the family.
    #[inline]
    pub fn new(family: Family, byte: u8) -> Result<Self, ErrorKind> {
        let table = match family {
            Family::Redis => &REDIS,
            Family::Valkey => &VALKEY,
        };
        match table[usize::from(byte)] {
            Some(layout) => Ok(Self { family, byte, layout }),
            None if byte == 6 => Err(ErrorKind::ModulePreGa),
            None => Err(ErrorKind::UnknownType(byte)),
        }
    }

    /// The encoding of Redis' that holds any value of the kind, element by element: for records
    /// that come from elsewhere than a dump.
    #[must_use]
    pub const fn plain(kind: Kind) -> Self {
        let layout = match kind {
            Kind::String => Layout::String,
            Kind::List => Layout::List,
            Kind::Set => Layout::Set,
            Kind::SortedSet => Layout::Zset2,
            Kind::Hash => Layout::Hash,
            Kind::Stream => Layout::Stream3,
            Kind::Array => Layout::Array,
            Kind::Json | Kind::Module => Layout::Module2,
        };
        match layout.byte(Family::Redis) {
            Some(byte) => Self { family: Family::Redis, byte, layout },
            None => Self::STRING,
        }
    }

    /// The object-type byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.byte
    }

    /// The family in which the byte has its meaning.
    #[must_use]
    pub const fn family(self) -> Family {
        self.family
    }

    /// The name, e.g. `hash_listpack`; of a family's own where the number alone would mislead,
    /// e.g. `valkey_hash_2`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.layout.name()
    }

    /// The logical type. For `module_2` this is [`Kind::Module`]; whether it is a JSON document
    /// only the module's id tells: ask [`Head::kind`](crate::Head::kind).
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.layout.kind()
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_the_family() {
        let name = |family, byte| Encoding::new(family, byte).map(Encoding::name);
        assert_eq!(name(Family::Redis, 22), Ok("hash_metadata_pre_ga"));
        assert_eq!(name(Family::Valkey, 22), Ok("valkey_hash_2"));
        assert_eq!(name(Family::Valkey, 23), Err(ErrorKind::UnknownType(23)));
        assert_eq!(name(Family::Redis, 6), Err(ErrorKind::ModulePreGa));
        assert_eq!(name(Family::Redis, 8), Err(ErrorKind::UnknownType(8)));
        assert_eq!(name(Family::Redis, 33), Err(ErrorKind::UnknownType(33)));
    }
}

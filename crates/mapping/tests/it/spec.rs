//! What specs are refused for, in which words.

use keystar_mapping::{Mapping, MappingSpec, json_schema};

#[test]
fn every_error_says_where_and_what_was_expected() {
    for (spec, expected) in [
        ("x = = 1", "line 1, column 5: extra =, expected nothing"),
        (
            "[[rule]]\nkey = 'a'\n",
            "line 2, column 1: unknown field key, expected one of keys, regex, types, dbs, skip, pk, sk, layout, \
             numbers, type, binary, expired, oversize, stream_fields, geo, attributes, fields",
        ),
        (
            "[[rule]]\nlayout = 'flat'\n",
            "line 2, column 10: unknown variant flat, expected one of item, attributes, collection",
        ),
        ("[[rule]]\nkeys = 7\n", "line 2, column 8: invalid type: integer 7, expected a string"),
        (
            "[[rule]]\nattributes.x = 1.5\n",
            "line 2, column 16: expected a template, a whole number or a truth value",
        ),
        (
            "[[rule]]\nkeys = 'user:{id}'\n\n[[rule]]\nkeys = 'shop:{id}'\npk = 'S#{no}'\n",
            "line 6, column 6: rule[1].pk: unknown reference {no}, expected {key}, {db} or {id}",
        ),
        (
            "[[rule]]\nkeys = 'user:{id'\n",
            "line 2, column 8: rule[0].keys: a brace is not closed; write \\{ for a brace",
        ),
        (
            "[[rule]]\nkeys = 'a'\nregex = 'a'\n",
            "line 3, column 9: rule[0].regex: a rule has keys or regex, not both",
        ),
        ("[[rule]]\nregex = '('\n", "line 2, column 9: rule[0].regex: unclosed group"),
        (
            "[[rule]]\nkeys = 'u:{a}'\n[[rule]]\nkeys = 'u:{b}'\ntypes = ['hash']\n",
            "line 3, column 1: rule[1]: never reached: rule[0] takes every such key before, \
             expected other keys, or the rules in the other order",
        ),
        (
            "[[rule]]\n[[rule]]\nkeys = 'u:{b}'\n",
            "line 2, column 1: rule[1]: never reached: rule[0] takes every such key before, \
             expected other keys, or the rules in the other order",
        ),
        (
            "defaults.layout = 'collection'",
            "line 1, column 19: defaults.layout: the layout collection needs a sort key of type S, \
             expected table.key.sort = { name = \"sk\" }",
        ),
        (
            "table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }",
            "line 1, column 1: defaults.sk: no template for the sort key sk, \
             expected sk here or in the defaults, or unmatched = \"skip\"",
        ),
        (
            "[[rule]]\nkeys = 'a:{b}'\nsk = 'x'\n",
            "line 3, column 6: rule[0].sk: the table has no sort key, \
             expected table.key.sort to name one",
        ),
        (
            "table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }\n\
             [[rule]]\nlayout = 'collection'\nsk = 'X{key}'\n",
            "line 4, column 6: rule[0].sk: nothing parts the last reference from the element that follows it, \
             expected text at the end of the template",
        ),
        (
            "[[rule]]\nkeys = 'a'\npk = 'A'\n",
            "line 3, column 6: rule[0].pk: every key would become the same item, \
             expected a reference such as {key}",
        ),
        (
            "[[rule]]\nfields.a = { drop = true, rename = 'b' }\n",
            "line 2, column 12: rule[0].fields.\"a\": drop and rename contradict each other, expected one of them",
        ),
        (
            "[[rule]]\ntypes = ['list']\nfields.a = { drop = true }\n",
            "line 3, column 12: rule[0].fields.\"a\": only hashes have fields, and the rule takes none, \
             expected types to name hash",
        ),
        (
            "[[rule]]\nlayout = 'attributes'\nfields.a = { rename = 'ttl' }\n",
            "line 3, column 23: rule[0].fields.\"a\".rename: the name \"ttl\" is taken, expected another name",
        ),
        (
            "[[rule]]\nattributes.ttl = 5\n",
            "line 2, column 18: rule[0].attributes.\"ttl\": the attribute \"ttl\" is written by the mapping itself, \
             expected another name",
        ),
        (
            "[[rule]]\nskip = true\nlayout = 'item'\n",
            "line 3, column 10: rule[0].layout: the rule skips its keys, expected nothing on how to map them",
        ),
        (
            "dbs = [0]\n[[rule]]\ndbs = [1]\n",
            "line 3, column 7: rule[0].dbs: database 1 is not mapped at all, expected one of the spec's dbs",
        ),
        (
            "defaults.keys = 'a*'",
            "line 1, column 17: defaults.keys: the defaults are for every key, expected a rule",
        ),
        (
            "names.value = 'key'",
            "line 1, column 1: names: two attributes are called \"key\", \
             expected a name for each; [names] renames those of the mapping",
        ),
        (
            "table.name = 'x'",
            "line 1, column 1: table: a table's name has 3 to 255 characters out of a-z A-Z 0-9 _ - .",
        ),
        (
            "unmatched = 'skip'\n[[rule]]\nskip = true",
            "line 2, column 1: rule: nothing is mapped, expected a rule that maps",
        ),
    ] {
        let error = Mapping::from_toml(spec).unwrap_err();
        assert_eq!(error.to_string(), expected, "\n{spec}");
        assert!(error.line().is_some() && error.column().is_some());
    }
}

#[test]
fn a_spec_can_be_built_and_written() {
    let text = "[table]\nname = 'users'\nkey = { partition = { name = 'pk' } }\n\n[[rule]]\nkeys = 'a:{b}'\npk = '{b}'\n";
    let spec = MappingSpec::from_toml(text).unwrap();
    let again: MappingSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
    assert_eq!(spec, again);
    assert_eq!(Mapping::try_from(spec).unwrap().table().name.as_deref(), Some("users"));
}

#[test]
fn the_schema_names_every_setting() {
    let schema = serde_json::to_string(&json_schema()).unwrap();
    for setting in ["stream_fields", "unmatched", "ttl_attribute", "additionalProperties", "zset"] {
        assert!(schema.contains(&format!("\"{setting}\"")), "{setting}");
    }
}

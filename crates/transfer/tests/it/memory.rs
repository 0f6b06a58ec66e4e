use keystar_item::Item;
use keystar_transfer::{
    ItemSink, Mark, MemoryItems, MemorySink,
    testing::{SinkUnderTest, conformance, repeats, table},
};

#[derive(Default)]
struct Memory {
    items: MemoryItems,
    repeats: bool,
}

impl SinkUnderTest for Memory {
    fn create(&mut self) -> Box<dyn ItemSink> {
        Box::new(MemorySink::create(table(), &self.items).with_repeats(self.repeats))
    }

    fn resume(&mut self, mark: &Mark) -> Box<dyn ItemSink> {
        Box::new(MemorySink::resume(table(), &self.items, mark).with_repeats(self.repeats))
    }

    fn durable(&mut self) -> Vec<Vec<Item<'static>>> {
        vec![self.items.items()]
    }
}

#[test]
fn the_memory_twin_conforms() {
    conformance(&mut Memory::default());
}

#[test]
fn the_memory_twin_keeps_the_last_of_what_repeats() {
    repeats(&mut Memory { repeats: true, ..Memory::default() });
}

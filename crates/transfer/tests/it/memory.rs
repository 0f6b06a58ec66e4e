use keystar_item::Item;
use keystar_transfer::{
    ItemSink, Mark, MemoryItems, MemorySink,
    testing::{SinkUnderTest, conformance, table},
};

#[derive(Default)]
struct Memory(MemoryItems);

impl SinkUnderTest for Memory {
    fn create(&mut self) -> Box<dyn ItemSink> {
        Box::new(MemorySink::create(table(), &self.0))
    }

    fn resume(&mut self, mark: &Mark) -> Box<dyn ItemSink> {
        Box::new(MemorySink::resume(table(), &self.0, mark))
    }

    fn durable(&mut self) -> Vec<Vec<Item<'static>>> {
        vec![self.0.items()]
    }
}

#[test]
fn the_memory_twin_conforms() {
    conformance(&mut Memory::default());
}

//! What the resource workers do with the messages that a run hands out.

use crate::world::{Message, RESOURCES, Record, Set, Stage, World};

/// Hands resources out.
pub fn send(world: &mut World, run: u8, handed: Set) {
    let resources = (0..RESOURCES as u8).filter(|resource| handed & 1 << resource != 0);
    world.messages.extend(resources.map(|resource| Message { run, resource, stage: Stage::Sent }));
}

/// A resource worker's next step.
pub fn work(world: &mut World, message: Message) {
    let Message { run, resource, stage } = message;
    remove(&mut world.messages, message);
    let record = &mut world.records[usize::from(resource)];
    match stage {
        Stage::Sent if world.row.active != Some(run) => {}
        Stage::Sent => {
            let version = world.version(resource);
            let record = world.records[usize::from(resource)];
            let is_done = record.run == run && record.version == version;
            let stage = if is_done { Stage::Recorded } else { Stage::Fetched(version) };
            world.messages.push(Message { stage, ..message });
        }
        Stage::Fetched(version) => {
            // What is older than the record does not change it, nor does an older run's word.
            let brought_by = if version > record.version { run } else { record.brought_by };
            *record = Record { version: record.version.max(version), run: record.run.max(run), brought_by };
            world.messages.push(Message { stage: Stage::Recorded, ..message });
        }
        Stage::Recorded => {
            if world.job.run != run {
                return;
            }
            let job = &mut world.job;
            job.reported += 1;
            if job.checkpoint.listed && job.reported >= job.checkpoint.handed_out && !job.is_final {
                world.queued.push(run);
            }
        }
    }
}

/// Takes one of these away.
pub fn remove<T: PartialEq>(from: &mut Vec<T>, what: T) {
    if let Some(place) = from.iter().position(|there| *there == what) {
        from.remove(place);
    }
}

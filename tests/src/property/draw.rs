//! Random triggers, always valid ones, and timelines that hit them: few attribute values, equal times, times that
//! lie exactly on a window's edge or a millisecond beside it, events that meet several predicates at once.

use domain::dsl::when::{Operand, Predicate, Trigger};
use domain::json::{Json, Object};
use domain::time::{Span, Unit};
use domain::value::Comparison;

use super::Dice;
use crate::reference::Event;

const TYPES: [&str; 4] = ["A", "B", "C", "D"];

/// The gaps between the events of a timeline, in ms.
const PACES: [&[i64]; 4] = [
    &[0, 1_000, 1_000, 2_000],
    &[0, 0, 1_000, 3_000, 999, 1_001],
    &[0, 1_000, 2_000, 3_000, 4_000, 8_000],
    &[0, 1, 500, 1_000, 1_500],
];

/// A trigger and a timeline of the same types of events, most often a few only.
pub fn case(dice: &mut Dice) -> (Trigger, Vec<Event>) {
    let types = &TYPES[..*dice.one_of(&[1, 2, 2, 3, 3, 4])];
    (trigger(dice, types), timeline(dice, types))
}

/// A trigger of up to seven event predicates or so.
fn trigger(dice: &mut Dice, types: &[&str]) -> Trigger {
    let predicates = (0..dice.between(2, 4)).map(|_| predicate(dice, types, 1)).collect();
    let mut draw = Draw { dice, predicates };
    if draw.dice.chance(10) {
        return draw.contest();
    }
    let size = draw.dice.between(1, 7);
    draw.trigger(size)
}

/// A timeline of up to 14 events.
fn timeline(dice: &mut Dice, types: &[&str]) -> Vec<Event> {
    let mut time = 0;
    let pace = *dice.one_of(&PACES);
    let length = if dice.chance(25) { dice.between(1, 6) } else { dice.between(7, 14) };
    (0..length)
        .map(|_| {
            time += dice.one_of(pace);
            let mut attributes = Object::new();
            attributes.set("type", *dice.one_of(types));
            match dice.between(0, 9) {
                0 => {}
                1 => attributes.set("n", Json::Null),
                2 => attributes.set("n", "1"),
                n => attributes.set("n", (n % 3) as i64),
            }
            Event { time, attributes }
        })
        .collect()
}

fn predicate(dice: &mut Dice, types: &[&str], depth: usize) -> Predicate {
    let compare = |name: &str, op, value| Predicate::Compare(op, Operand::Attribute(name.to_owned()), value);
    let number = |dice: &mut Dice| Operand::Number((dice.between(0, 2) as i64).into());
    let of_type =
        |dice: &mut Dice| compare("type", Comparison::Equal, Operand::Text((*dice.one_of(types)).to_owned()));
    let kinds = if depth == 0 { 12 } else { 17 };
    match dice.between(0, kinds) {
        0..=9 => of_type(dice),
        10 => compare("n", Comparison::Equal, number(dice)),
        11 => compare(
            "n",
            *dice.one_of(&[Comparison::AtLeast, Comparison::NotEqual, Comparison::Less]),
            number(dice),
        ),
        12 => Predicate::Exists("n".to_owned()),
        13 => Predicate::Not(Box::new(predicate(dice, types, depth - 1))),
        14 | 15 => Predicate::Or(vec![of_type(dice), predicate(dice, types, depth - 1)]),
        _ => Predicate::And(vec![of_type(dice), compare("n", Comparison::AtLeast, number(dice))]),
    }
}

struct Draw<'a> {
    dice: &'a mut Dice,
    predicates: Vec<Predicate>,
}

impl Draw<'_> {
    /// A trigger with about `size` events in it.
    fn trigger(&mut self, size: usize) -> Trigger {
        if size <= 1 && self.dice.chance(80) {
            return self.event();
        }
        match self.dice.between(0, 15) {
            0..=1 => Trigger::Count(self.dice.between(1, 3) as u32, Box::new(self.trigger(size / 2))),
            2..=5 => self.seq(size),
            6..=8 => self.all(size),
            9 => Trigger::Any(self.members(size, 3)),
            10..=12 => Trigger::Within(self.window(), Box::new(self.trigger(size))),
            _ => self.awaiting(size),
        }
    }

    /// Where an engine is tempted to keep only one of several beginnings: they differ in start, end and events, and
    /// a guard after them decides which of them may go on.
    fn contest(&mut self) -> Trigger {
        let rivals = (0..self.dice.between(2, 3)).map(|_| self.rival()).collect();
        let guards = (0..self.dice.between(1, 2)).map(|_| self.fail(2)).collect::<Vec<_>>();
        let members = [Trigger::Any(rivals)].into_iter().chain(guards).chain([self.trigger(1)]).collect();
        if self.dice.chance(30) {
            return Trigger::Within(self.window(), Box::new(Trigger::Seq(members)));
        }
        Trigger::Seq(members)
    }

    fn rival(&mut self) -> Trigger {
        match self.dice.between(0, 3) {
            0 => self.event(),
            1 => self.awaiting(2),
            _ => self.trigger(2),
        }
    }

    fn event(&mut self) -> Trigger {
        Trigger::Event(self.dice.one_of(&self.predicates).clone())
    }

    /// Spans in the order of the timelines' own gaps, so that edges are hit; now and then one that spans it all.
    fn window(&mut self) -> Span {
        if self.dice.chance(6) {
            let unit = *self.dice.one_of(&[Unit::Minutes, Unit::Hours, Unit::Days]);
            return Span { amount: self.dice.between(1, 2) as u64, unit };
        }
        Span { amount: self.dice.between(1, 8) as u64, unit: Unit::Seconds }
    }

    fn members(&mut self, size: usize, most: usize) -> Vec<Trigger> {
        let count = self.dice.between(1, most.min(size.max(1)));
        (0..count).map(|_| self.trigger(size / count)).collect()
    }

    /// A fail, of a single event or of something composite.
    fn fail(&mut self, size: usize) -> Trigger {
        let size = if self.dice.chance(50) { 1 } else { size };
        Trigger::Fail(Box::new(self.trigger(size)))
    }

    fn seq(&mut self, size: usize) -> Trigger {
        Trigger::Seq(self.chain(size))
    }

    /// Members with fails in their gaps.
    fn chain(&mut self, size: usize) -> Vec<Trigger> {
        let mut chain = Vec::new();
        for (n, member) in self.members(size, 4).into_iter().enumerate() {
            while n > 0 && self.dice.chance(30) {
                chain.push(self.fail(size / 3));
            }
            chain.push(member);
        }
        chain
    }

    fn all(&mut self, size: usize) -> Trigger {
        let mut members = self.members(size, 3);
        while self.dice.chance(35) {
            let at = self.dice.between(0, members.len());
            let fail = self.fail(size / 3);
            members.insert(at, fail);
        }
        Trigger::All(members)
    }

    /// A seq whose last fails have a deadline, in one form or the other.
    fn awaiting(&mut self, size: usize) -> Trigger {
        let mut chain = self.chain(size - size.min(1));
        if self.dice.chance(40) {
            chain.push(Trigger::Within(self.window(), Box::new(self.fail(size / 2))));
            return Trigger::Seq(chain);
        }
        chain.push(self.fail(size / 2));
        while self.dice.chance(15) {
            chain.push(self.fail(size / 3));
        }
        Trigger::Within(self.window(), Box::new(Trigger::Seq(chain)))
    }
}

//! The ceremony on real SoftHSM tokens.

use crate::ceremony_rig::{Inventory, Options, Rig};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Body {
    Nothing,
}

impl Body {
    pub fn run(self, _rig: &Rig) -> String {
        String::new()
    }
}

const GOOD: Inventory = Inventory { public: 0, private: 5, trusted: 1 };

#[test]
fn the_ceremony_makes_a_good_token_once() {
    let rig = Rig::new();
    assert_eq!(rig.ceremony(&Options::default()).unwrap(), "made");
    println!("{}", serde_json::to_string_pretty(&rig.binding()).unwrap());
    assert_eq!(rig.verify().unwrap(), "good");
    assert_eq!(rig.inventory(), GOOD);
    let binding = rig.binding();
    assert_eq!(rig.ceremony(&Options::default()).unwrap(), "already done");
    assert_eq!(rig.binding(), binding);
}

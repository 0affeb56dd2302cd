//! A real token and a real database, in a process of their own.

use crate::token_rig::{self, Rig};
use claviger::domain::id::MaterialId;
use claviger::server::ambient::SystemIds;
use claviger::service::ports::{Change, IdSource, Protection, Store, Token, TokenStateStore};
use claviger::store::SqliteStore;
use std::path::PathBuf;
use std::sync::Arc;

pub struct Core {
    pub token: Arc<dyn Token>,
    pub store: Arc<dyn Store>,
    pub ids: Arc<dyn IdSource>,
    /// The database file; SQLite keeps others of the same name beside it.
    pub database: PathBuf,
}

/// Runs the body of the test `name` of `module` with a new core, in a process of its own.
pub fn in_own_process(module: &str, name: &str, body: impl AsyncFnOnce(Core)) {
    let path = module.split_once("::").map_or(name.to_owned(), |(_, module)| format!("{module}::{name}"));
    token_rig::isolated(&path, |rig| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async { body(Core::start(&rig).await).await });
    });
}

impl Core {
    async fn start(rig: &Rig) -> Self {
        let database = rig.dir.join("claviger.db");
        let locked = SqliteStore::open(&database).unwrap();
        let opened = rig.open_again(rig.make_token(Protection::Trusted), |_, _| {});
        locked.save_token_binding(&opened.binding).unwrap();
        let store = locked.unlock(opened.row_key).unwrap();
        let keys = opened.binding.internal_keys.iter().map(|key| Change::InsertCounter(internal_id(&key.object_id)));
        store.commit(keys.collect()).await.unwrap();
        let token = opened.token as Arc<dyn Token>;
        Self { token, store: Arc::new(store), ids: Arc::new(SystemIds::new().unwrap()), database }
    }
}

fn internal_id(object_id: &str) -> MaterialId {
    let digit = |at: usize| u8::from_str_radix(&object_id[at..at + 2], 16).unwrap();
    MaterialId::from_bytes(std::array::from_fn(|index| digit(index * 2)))
}

//! Names of keys: what a caller may not know of cannot be told from what is not there by any of them, and no name leads
//! out of its account or region.

use super::super::in_own_process;
use super::{UNKNOWN_FOLDER, UNKNOWN_KEY, World, is_denied};
use claviger::domain::Dialect;
use claviger::domain::access::Role;
use claviger::domain::alias::{AliasName, AliasPlace};
use claviger::domain::id::{AccountId, FolderId, KeyId};
use claviger::service::aliases::AliasesOf;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::ports::{BindingScope, Store};
use claviger::service::request::{CreateKey, KeyName, KeyPatch, RequestContext};

fn name(text: &str) -> AliasName {
    AliasName::new(&format!("alias/{text}")).unwrap()
}

fn aws(ctx: &RequestContext) -> RequestContext {
    RequestContext { dialect: Dialect::Aws, region: Some("us-east-1".into()), ..ctx.clone() }
}

async fn account(world: &World, folder: FolderId) -> AccountId {
    world.kms().account_of(folder).await.unwrap()
}

async fn found(world: &World, ctx: &RequestContext, named: KeyName) -> Option<KeyId> {
    match world.kms().locate(ctx, &named).await {
        Ok(located) => Some(located.key_id),
        Err(error) => {
            let expected = if matches!(named, KeyName::Alias(..)) { Missing::Alias } else { Missing::Key };
            let missing = matches!(&error, ServiceError::NotFound { what, .. } if *what == expected);
            assert!(missing, "{named:?}: {error:?}");
            None
        }
    }
}

/// What is answered in words, without the names, and the reads of the store that it cost.
async fn refusal(world: &World, ctx: &RequestContext, named: &KeyName) -> (String, Vec<&'static str>) {
    world.service.store.take_reads();
    let error = world.kms().locate(ctx, named).await.unwrap_err();
    let given = match named {
        KeyName::Anywhere(id) | KeyName::Id(_, id) => id.to_string(),
        KeyName::Alias(_, name) => name.to_string(),
    };
    assert!(error.to_string().contains(&given), "{error:?}");
    (error.to_string().replace(&given, "NAME"), world.service.store.take_reads())
}

/// Every name that leads to a hidden key, beside one of the same form that leads nowhere.
async fn pairs(world: &World, hidden: KeyId) -> Vec<(KeyName, KeyName)> {
    let (home, nobody) = (account(world, world.home()).await, AccountId::parse("999999999999").unwrap());
    vec![
        (KeyName::Anywhere(hidden), KeyName::Anywhere(UNKNOWN_KEY)),
        (KeyName::Id(home, hidden), KeyName::Id(home, UNKNOWN_KEY)),
        (KeyName::Id(nobody, hidden), KeyName::Id(nobody, UNKNOWN_KEY)),
        (KeyName::Alias(home, name("hidden")), KeyName::Alias(home, name("unknown"))),
        (KeyName::Alias(home, name("hidden")), KeyName::Alias(nobody, name("hidden"))),
    ]
}

#[test]
fn a_hidden_key_and_an_unknown_one_end_alike_by_every_name_for_the_same_work() {
    let name_of_test = "a_hidden_key_and_an_unknown_one_end_alike_by_every_name_for_the_same_work";
    in_own_process(module_path!(), name_of_test, async |core| {
        let world = World::start(core).await;
        let hidden = world.key_in(world.home()).await;
        world.kms().create_alias(&aws(world.administrator()), name("hidden"), hidden).await.unwrap();
        let stranger = aws(&world.account(world.folder().await).await);
        let pairs = pairs(&world, hidden).await;
        // The roles that are bound on the folder come into memory.
        refusal(&world, &stranger, &pairs[0].0).await;
        for (of_hidden, of_unknown) in &pairs {
            let expected = refusal(&world, &stranger, of_unknown).await;
            assert_eq!(refusal(&world, &stranger, of_unknown).await, expected);
            for memory in ["cold", "key", "names", "key and names"] {
                // A change of the key drops it from memory, and a change of the alias the alias; a use brings both back.
                world.kms().update_alias(&aws(world.administrator()), name("hidden"), hidden).await.unwrap();
                if memory.contains("names") {
                    found(&world, &aws(world.administrator()), pairs[3].0.clone()).await.unwrap();
                }
                if memory == "names" {
                    world.kms().update_key(world.administrator(), hidden, KeyPatch::default()).await.unwrap();
                }
                if memory == "key" {
                    world.kms().key(world.administrator(), hidden).await.unwrap();
                }
                assert_eq!(refusal(&world, &stranger, of_hidden).await, expected, "{of_hidden:?}: {memory}");
                assert_eq!(refusal(&world, &stranger, of_hidden).await, expected, "{of_hidden:?}: warm");
            }
        }
        world.service.store.cut_after(0);
        for named in pairs.into_iter().flat_map(|(of_hidden, of_unknown)| [of_hidden, of_unknown]) {
            let error = world.kms().locate(&stranger, &named).await.unwrap_err();
            assert!(matches!(error, ServiceError::Unavailable(_)), "{named:?}: {error:?}");
        }
    });
}

#[test]
fn a_change_of_an_alias_of_a_hidden_key_ends_as_one_of_an_alias_that_is_not_there() {
    let name_of_test = "a_change_of_an_alias_of_a_hidden_key_ends_as_one_of_an_alias_that_is_not_there";
    in_own_process(module_path!(), name_of_test, async |core| {
        let world = World::start(core).await;
        let (hidden, shown) = (world.key_in(world.home()).await, world.key_in(world.home()).await);
        let administrator = aws(world.administrator());
        world.kms().create_alias(&administrator, name("hidden"), hidden).await.unwrap();
        world.kms().create_alias(&administrator, name("shown"), shown).await.unwrap();
        let editor = aws(&world.account(world.home()).await);
        world.bind(BindingScope::Key(shown), Role::Editor, &editor).await;
        let outcome = async |alias: &str, to: Option<KeyId>| {
            world.service.store.take_reads();
            let done = match to {
                Some(key_id) => world.kms().update_alias(&editor, name(alias), key_id).await,
                None => world.kms().delete_alias(&editor, name(alias)).await,
            };
            let error = done.unwrap_err();
            assert!(matches!(error, ServiceError::NotFound { what: Missing::Alias, .. }), "{error:?}");
            (error.to_string().replace(alias, "NAME"), world.service.store.take_reads())
        };
        outcome("hidden", None).await;
        for to in [None, Some(shown), Some(hidden), Some(UNKNOWN_KEY)] {
            assert_eq!(outcome("hidden", to).await, outcome("unknown", to).await, "{to:?}");
        }
        for to in [hidden, UNKNOWN_KEY] {
            let error = world.kms().update_alias(&editor, name("shown"), to).await.unwrap_err();
            let expected = ServiceError::NotFound { what: Missing::Key, id: to.to_string() };
            assert_eq!(error.to_string(), expected.to_string());
            let error = world.kms().create_alias(&editor, name("new"), to).await.unwrap_err();
            assert_eq!(error.to_string(), expected.to_string());
        }
        world.kms().update_alias(&editor, name("shown"), shown).await.unwrap();
        world.kms().delete_alias(&editor, name("shown")).await.unwrap();
    });
}

#[test]
fn who_may_view_a_key_and_not_update_it_is_denied_every_change_of_its_aliases() {
    let name_of_test = "who_may_view_a_key_and_not_update_it_is_denied_every_change_of_its_aliases";
    in_own_process(module_path!(), name_of_test, async |core| {
        let world = World::start(core).await;
        let (viewed, edited) = (world.key_in(world.home()).await, world.key_in(world.home()).await);
        let administrator = aws(world.administrator());
        world.kms().create_alias(&administrator, name("viewed"), viewed).await.unwrap();
        world.kms().create_alias(&administrator, name("edited"), edited).await.unwrap();
        let caller = aws(&world.account(world.home()).await);
        world.bind(BindingScope::Key(viewed), Role::KeysEncrypterDecrypter, &caller).await;
        world.bind(BindingScope::Key(edited), Role::Editor, &caller).await;
        let kms = world.kms();
        for denied in [
            kms.create_alias(&caller, name("new"), viewed).await,
            // Also where there is something else to refuse.
            kms.create_alias(&caller, name("viewed"), viewed).await,
            kms.update_alias(&caller, name("viewed"), edited).await,
            kms.update_alias(&caller, name("edited"), viewed).await,
            kms.delete_alias(&caller, name("viewed")).await,
        ] {
            assert!(is_denied(&denied), "{denied:?}");
        }
        let home = account(&world, world.home()).await;
        assert_eq!(found(&world, &caller, KeyName::Alias(home, name("viewed"))).await, Some(viewed));
        kms.update_alias(&caller, name("edited"), edited).await.unwrap();
    });
}

#[test]
fn who_may_only_restore_a_key_finds_it() {
    in_own_process(module_path!(), "who_may_only_restore_a_key_finds_it", async |core| {
        let world = World::start(core).await;
        let key = world.key_in(world.home()).await;
        let operator = aws(&world.account(world.folder().await).await);
        let home = account(&world, world.home()).await;
        assert_eq!(found(&world, &operator, KeyName::Id(home, key)).await, None);
        world.bind(BindingScope::Key(key), Role::Operator, &operator).await;
        assert_eq!(found(&world, &operator, KeyName::Id(home, key)).await, Some(key));
        world.unbind(BindingScope::Key(key), Role::Operator, &operator).await;
        assert_eq!(found(&world, &operator, KeyName::Id(home, key)).await, None);
    });
}

#[test]
fn no_name_leads_out_of_its_account_or_region() {
    in_own_process(module_path!(), "no_name_leads_out_of_its_account_or_region", async |core| {
        let world = World::start(core).await;
        let root = aws(&world.root);
        let away = world.folder().await;
        let (home_account, away_account) = (account(&world, world.home()).await, account(&world, away).await);
        let (here, there) = (world.key_in(world.home()).await, world.key_in(away).await);
        let administrator = aws(world.administrator());
        world.kms().create_alias(&administrator, name("a"), here).await.unwrap();
        let somebody = aws(&world.account(away).await);
        world.bind(BindingScope::Folder(away), Role::Editor, &somebody).await;
        world.bind(BindingScope::Folder(world.home()), Role::Editor, &somebody).await;
        world.kms().create_alias(&somebody, name("a"), there).await.unwrap();
        for (named, expected) in [
            (KeyName::Id(home_account, here), Some(here)),
            (KeyName::Id(away_account, here), None),
            (KeyName::Id(away_account, there), Some(there)),
            (KeyName::Id(home_account, there), None),
            (KeyName::Alias(home_account, name("a")), Some(here)),
            (KeyName::Alias(away_account, name("a")), Some(there)),
        ] {
            for _ in 0..2 {
                assert_eq!(found(&world, &somebody, named.clone()).await, expected, "{named:?}");
            }
            let elsewhere = RequestContext { region: Some("eu-west-1".into()), ..somebody.clone() };
            assert_eq!(found(&world, &elsewhere, named.clone()).await, None, "{named:?}");
        }
        // Aliases are made, moved and deleted in the caller's own account, whatever roles it has elsewhere.
        for key_id in [here, UNKNOWN_KEY] {
            for refused in [
                world.kms().create_alias(&somebody, name("b"), key_id).await,
                world.kms().update_alias(&somebody, name("a"), key_id).await,
            ] {
                let expected = matches!(refused, Err(ServiceError::NotFound { what: Missing::Key, .. }));
                assert!(expected, "{refused:?}");
            }
        }
        world.kms().delete_alias(&somebody, name("a")).await.unwrap();
        assert_eq!(found(&world, &somebody, KeyName::Alias(home_account, name("a"))).await, Some(here));
        assert_eq!(found(&world, &root, KeyName::Alias(away_account, name("a"))).await, None);
        let missing = world.kms().account_of(UNKNOWN_FOLDER).await.unwrap_err();
        assert!(matches!(missing, ServiceError::NotFound { what: Missing::Folder, .. }), "{missing:?}");
    });
}

/// All pages of a list, whose places it never stands still at.
async fn list(world: &World, ctx: &RequestContext, folder: FolderId, limit: u32) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = world.kms().aliases(ctx, AliasesOf::Folder(folder), after, limit).await.unwrap();
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        all.extend(page.items.iter().map(|alias| alias.place.name.as_str()["alias/".len()..].to_owned()));
        if page.next.is_none() {
            return all;
        }
        assert_ne!(page.next, after, "the list stands still");
        after = page.next;
    }
}

#[test]
fn a_list_shows_the_aliases_of_keys_that_the_caller_may_view() {
    in_own_process(module_path!(), "a_list_shows_the_aliases_of_keys_that_the_caller_may_view", async |core| {
        let world = World::start(core).await;
        let administrator = aws(world.administrator());
        let (one, two) = (world.key_in(world.home()).await, world.key_in(world.home()).await);
        let abroad = RequestContext { region: Some("eu-west-1".into()), ..administrator.clone() };
        let far = CreateKey {
            folder_id: world.home(),
            ..world.service.create_request(claviger::domain::algorithm::Algorithm::Aes128, None)
        };
        let far = world.kms().create_key(&abroad, far).await.unwrap().key_id;
        world.kms().create_alias(&abroad, name("far"), far).await.unwrap();
        for number in 0..9 {
            world.service.clock.advance(std::time::Duration::from_secs(1));
            let key_id = if number % 3 == 0 { two } else { one };
            world.kms().create_alias(&administrator, name(&number.to_string()), key_id).await.unwrap();
        }
        let (of_one, of_two) = (["1", "2", "4", "5", "7", "8"], ["0", "3", "6"]);
        let lister = aws(&world.account(world.home()).await);
        world.bind(BindingScope::Folder(world.home()), Role::KeysUser, &lister).await;
        let user = aws(&world.account(world.folder().await).await);
        world.bind(BindingScope::Key(two), Role::KeysUser, &user).await;
        world.bind(BindingScope::Key(far), Role::KeysUser, &user).await;
        let operator = aws(&world.account(world.home()).await);
        world.bind(BindingScope::Key(one), Role::Operator, &operator).await;
        let stranger = aws(&world.account(world.home()).await);
        for limit in [1, 2, 3, 100] {
            let all = list(&world, &lister, world.home(), limit).await;
            assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6", "7", "8"], "pages of {limit}");
            assert_eq!(list(&world, &user, world.home(), limit).await, of_two, "pages of {limit}");
        }
        assert_eq!(list(&world, &abroad, world.home(), 10).await, ["far"]);
        for nobody in [&stranger, &operator] {
            for folder in [world.home(), UNKNOWN_FOLDER] {
                let page = world.kms().aliases(nobody, AliasesOf::Folder(folder), None, 1).await.unwrap();
                assert!(page.items.is_empty() && page.next.is_none(), "{page:?}");
            }
        }
        let encrypter = aws(&world.account(world.home()).await);
        world.bind(BindingScope::Folder(world.home()), Role::KeysEncrypter, &encrypter).await;
        let denied = world.kms().aliases(&encrypter, AliasesOf::Folder(world.home()), None, 10).await.map(drop);
        assert!(is_denied(&denied), "{denied:?}");
        for (ctx, seen) in [(&lister, true), (&encrypter, true), (&user, false), (&stranger, false)] {
            match world.kms().aliases(ctx, AliasesOf::Key(one), None, 100).await {
                Ok(page) => assert!(seen && page.items.len() == of_one.len(), "{page:?}"),
                Err(error) => {
                    let hidden = matches!(error, ServiceError::NotFound { what: Missing::Key, .. });
                    assert!(!seen && hidden, "{error:?}");
                }
            }
        }
        world.unbind(BindingScope::Key(two), Role::KeysUser, &user).await;
        assert!(list(&world, &user, world.home(), 10).await.is_empty());
        let place = AliasPlace { folder_id: world.home(), region: "us-east-1".to_owned(), name: name("0") };
        assert_eq!(world.service.store.alias(place).await.unwrap().unwrap().value.key_id, Some(two));
    });
}

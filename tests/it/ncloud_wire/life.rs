//! One key from its making to its end.

use super::{Scene, decrypted, encrypted};
use crate::support::ncloud::{b64, data, refused};

#[tokio::test]
async fn a_key_is_made_used_rotated_and_deleted() {
    let scene = Scene::start().await;
    let key = scene.new_key("COMMON_HSM").await;
    let first = encrypted(&scene.admin, &key, b"attack at dawn").await;
    assert!(first.starts_with("ncpkms:v1:"), "{first}");
    let rotated = data(&scene.admin.act(&format!("{key}/rotate")).await);
    assert_eq!(rotated["version"], 2);
    let second = encrypted(&scene.admin, &key, b"attack at dawn").await;
    assert!(second.starts_with("ncpkms:v2:"), "{second}");
    for ciphertext in [&first, &second] {
        assert_eq!(decrypted(&scene.admin, &key, ciphertext).await, b64(b"attack at dawn"));
    }
    data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    data(&scene.admin.delete(&key).await);
    refused(&scene.admin.get(&key).await, 404, "NOT_FOUND");
}

//! Immutable identity: a digest that is resolved, one, and never taken from another image.

use ci_testkit::release::Release;
use ci_types::record::EvidenceKind;
use ci_types::{Digest, Tag};
use serde_json::json;

use super::{accepts, denials, replace, set_image, without};

const OTHER: &[u8] = b"another image";

denials! { "artifact-identity";
    local missing_publication_rejects => "publication-missing", |r| without(r, EvidenceKind::Publication);
    local missing_image_manifest_rejects => "image-manifest-missing", |r| without(r, EvidenceKind::ImageManifest);
    local missing_image_config_rejects => "image-config-missing", |r| without(r, EvidenceKind::ImageConfig);
    local built_digest_that_was_not_published_rejects => "publication-inconsistent",
        |r| r.publication.built = Digest::of(OTHER);
    local published_digest_that_was_not_built_rejects => "publication-inconsistent",
        |r| r.publication.published = Digest::of(OTHER);
    local read_back_digest_that_differs_rejects => "publication-inconsistent",
        |r| r.publication.read_back = Digest::of(OTHER);
    local digest_that_no_manifest_has_rejects => "image-manifest-wrong-subject", |r| {
        let (digest, publication) = (Digest::of(OTHER), &mut r.publication);
        (publication.built, publication.published, publication.read_back) = (digest, digest, digest);
        publication.subject.digest = digest;
    };
    local manifest_bytes_of_another_image_reject => "image-manifest-wrong-subject", |r| r.image_manifest.push(b' ');
    local image_config_of_another_image_rejects => "image-config-wrong-subject", |r| r.image_config.push(b' ');
    local image_config_size_that_lies_rejects => "image-config-inconsistent",
        |r| set_image(r, |manifest| manifest["config"]["size"] = json!(1));
    local image_index_in_place_of_a_manifest_rejects => "image-manifest-malformed",
        |r| set_image(r, |manifest| *manifest = json!({ "schemaVersion": 2, "manifests": [] }));
    local image_without_layers_rejects => "image-manifest-malformed",
        |r| set_image(r, |manifest| manifest["layers"] = json!([]));
    local schema_version_1_rejects => "image-manifest-malformed",
        |r| set_image(r, |manifest| manifest["schemaVersion"] = json!(1));
    local published_media_type_that_is_not_the_manifests_rejects => "publication-inconsistent",
        |r| r.publication.media_type = "application/vnd.docker.distribution.manifest.v2+json".to_owned();
    local manifest_size_that_lies_rejects => "publication-inconsistent", |r| r.publication.manifest_bytes += 1;
    local artifact_size_that_lies_rejects => "publication-inconsistent", |r| r.publication.artifact_bytes += 1;
    local layer_sizes_that_overflow_reject => "publication-inconsistent",
        |r| set_image(r, |manifest| manifest["layers"][0]["size"] = json!(u64::MAX));
    local publication_of_another_schema_rejects => "publication-malformed",
        |r| replace(r, EvidenceKind::Publication, b"{}");
    local tag_of_another_image_is_never_moved => "tag-taken", |r| r.publication.tag_before = Some(Digest::of(OTHER));
    local tag_that_the_configuration_does_not_give_rejects => "tag-not-configured",
        |r| r.publication.subject.tag = "latest".parse::<Tag>().unwrap();
    local name_that_the_configuration_does_not_give_rejects => "name-not-configured",
        |r| r.publication.subject.name = "other/app".to_owned();
}

#[test]
fn tag_that_already_names_this_image_passes() {
    let mut release = Release::local();
    release.publication.tag_before = Some(release.publication.subject.digest);
    accepts(&release);
}

//! What fuzz targets found, and their first inputs in small, through the same entries: see
//! `fuzz/README.md`.

use super::unindented;
use crate::internals;

#[test]
fn a_template_may_change_what_it_is_given() {
    internals::template("a: {b: 1}\n//-\n{{ $_ := set .Values.a `b` 2 }}{{ .Values.a.b }}\n");
}

#[test]
fn a_nul_is_the_end_of_what_flux_fills_in() {
    internals::envsubst("A=1\n//-\na: ${A}\0b: ${A}\n");
}

#[test]
fn no_finding_writes_what_does_something_to_a_terminal() {
    internals::writers(
        "//- a b/c%.yaml\na: ä\n//-\n\u{1b}[31mred\0\n::error::x\n##[command]\u{202e}\n]]>",
    );
}

#[test]
fn what_is_wrong_with_the_configuration_is_no_rules() {
    internals::repository(
        unindented(
            "
            //- .metrics-server-lint.yaml
            rules: {kubelet-insecure-tsl: 'off'}
            //- a.yaml
            a: 1
            ",
        )
        .as_bytes(),
    );
}

/// The parser stops within a character.
#[test]
fn what_is_no_terraform_is_told_between_characters() {
    for text in ["module ω", "locals {\n  a = bÉ\u{9e}\n}\n", "x = \"${path.moduleĒ"] {
        internals::hcl(text);
    }
}

#[test]
fn a_template_prints_maps_that_end_with_characters_of_several_bytes() {
    internals::template("//-\nƏ:");
}

/// What is filled in later stands elsewhere in the text than in its bytes.
#[test]
fn what_flux_cuts_characters_with_is_a_text() {
    internals::envsubst("A=éé\nB=b\n//-\n${A:1:2} ${B} ${A:0:1}${A:1:1} ${A:3} ${B}\n");
}

#[test]
fn the_name_of_an_environment_does_nothing_to_a_terminal() {
    let files = "//- clusters/pr\u{1b}]0;od/kustomization.yaml\nresources: [ms.yaml]\n\
                 //- clusters/pr\u{1b}]0;od/ms.yaml\napiVersion: apps/v1\nkind: Deployment\n\
                 metadata: {name: \"metrics-server\\e\", namespace: kube-system}\nspec: {template: {spec: \
                 {containers: [{name: metrics-server, image: registry.k8s.io/metrics-server/metrics-server:v0.7.2}]}}}\n";
    internals::repository(files.as_bytes());
}

/// Where an entry asserts nothing, nothing would be found.
#[test]
fn every_entry_takes_an_input_to_its_end() {
    internals::env("A=1\n# b\nexport C='d' # e\n");
    internals::hcl(
        "x = 1\n//-\nresource \"helm_release\" \"a\" {\n  name = \"metrics-server\"\n  values = [\"a: ${var.x}\"]\n}\n",
    );
    internals::patch("a: [1]\n//-\n- {op: add, path: /a/-, value: 2}\n");
    internals::strvals("a: [1]\n//-\na[3]=x,b.c={1,2}\n");
    internals::yaml("a: |\n  b: 1\n---\n{{ if x }}\nc: [\n");
    let repository = unindented(
        "
        //- kustomization.yaml
        resources: [ms.yaml]
        //- ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          template:
            spec:
              containers:
              - name: metrics-server
                image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                args: [--metric-resolution=1s]
        ",
    );
    internals::repository(repository.as_bytes());
    internals::fixes(repository.as_bytes());
}

/// The stages that benchmarks measure.
#[test]
fn a_repository_in_memory_goes_through_every_stage() {
    let files = "//- c/Chart.yaml\nname: c\nversion: 1.0.0\n//- c/templates/a.yaml\nkind: {{ `A` }}\n\
                 //- values.yaml\nmetrics-server: {replicas: 1}\n";
    let repository = internals::StagedRepository::new(internals::Archive::of(files.as_bytes()));
    assert_eq!(repository.render_chart("c"), 1);
    assert!(repository.parse() > 0, "nothing is parsed");
    let resolved = repository.resolve();
    assert!(resolved.count() > 0, "there is no environment");
    assert!(resolved.check().write("sarif").contains("\"2.1.0\""));
}

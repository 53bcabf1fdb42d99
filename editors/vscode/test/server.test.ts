/**
 * What can be tested without an editor: the command line, that the manifest and the sources say the same, and
 * that the program answers the protocol that the client speaks. `METRICS_SERVER_LINT` names the program.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import {
  DidOpenTextDocumentNotification,
  ExitNotification,
  HoverRequest,
  InitializedNotification,
  InitializeRequest,
  MarkupContent,
  PublishDiagnosticsNotification,
  PublishDiagnosticsParams,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
  createProtocolConnection,
} from "vscode-languageserver-protocol/node";

import { DOCUMENTS, serverCommand } from "../src/server";

const manifest = JSON.parse(readFileSync(join(__dirname, "../../package.json"), "utf8"));

test("the settings say what is started", () => {
  const plain = serverCommand({ path: "metrics-server-lint", pedantic: false });
  assert.deepEqual(plain, { command: "metrics-server-lint", args: ["lsp"] });
  const other = serverCommand({ path: " /opt/a b/lint ", pedantic: true });
  assert.deepEqual(other, { command: "/opt/a b/lint", args: ["lsp", "--pedantic"] });
  assert.equal(serverCommand({ path: "", pedantic: false }).command, "metrics-server-lint");
});

test("the manifest has the settings and the command that the sources use", () => {
  const source = readFileSync(join(__dirname, "../../src/extension.ts"), "utf8");
  const settings = Object.keys(manifest.contributes.configuration.properties);
  for (const setting of settings) {
    assert.ok(source.includes(`"${setting.split(".").pop()}"`), setting);
  }
  assert.equal(manifest.contributes.commands[0].command, "metrics-server-lint.restart");
  const languages = manifest.activationEvents
    .filter((it: string) => it.startsWith("onLanguage:"))
    .map((it: string) => it.split(":")[1]);
  for (const language of languages) {
    assert.ok(DOCUMENTS.some((it) => it.language === language), language);
  }
});

const program = process.env["METRICS_SERVER_LINT"];

test("the program speaks the protocol of the client", { skip: !program, timeout: 120_000 }, async () => {
  const root = mkdtempSync(join(tmpdir(), "metrics-server-lint-"));
  const text = [
    "apiVersion: apps/v1",
    "kind: Deployment",
    "metadata: {name: metrics-server, namespace: kube-system}",
    "spec:",
    "  template:",
    "    spec:",
    "      containers:",
    "        - name: metrics-server",
    "          image: registry.k8s.io/metrics-server/metrics-server:v0.8.0",
    "          args: [--kubelet-insecure-tls, --secure-port=10250]",
    "",
  ].join("\n");
  const file = join(root, "server.yaml");
  writeFileSync(file, text);
  writeFileSync(join(root, ".metrics-server-lint.yaml"), "");
  const { command, args } = serverCommand({ path: program ?? "", pedantic: false });
  const server = spawn(command, args, { cwd: root });
  const ended = new Promise((resolve) => server.on("exit", resolve));
  const connection = createProtocolConnection(
    new StreamMessageReader(server.stdout),
    new StreamMessageWriter(server.stdin),
  );
  const found = new Promise<PublishDiagnosticsParams>((resolve) => {
    connection.onNotification(PublishDiagnosticsNotification.type, (it) => {
      if (it.diagnostics.length > 0) {
        resolve(it);
      }
    });
  });
  connection.listen();
  const rootUri = pathToFileURL(root).href;
  const answer = await connection.sendRequest(InitializeRequest.type, {
    processId: process.pid,
    rootUri,
    capabilities: {},
    workspaceFolders: [{ uri: rootUri, name: "root" }],
  });
  assert.equal(answer.serverInfo?.name, manifest.name);
  assert.ok(answer.capabilities.hoverProvider && answer.capabilities.codeActionProvider);
  await connection.sendNotification(InitializedNotification.type, {});
  const uri = pathToFileURL(file).href;
  await connection.sendNotification(DidOpenTextDocumentNotification.type, {
    textDocument: { uri, languageId: "yaml", version: 1, text },
  });
  const { diagnostics } = await found;
  assert.ok(diagnostics.some((it) => it.code === "kubelet-insecure-tls"));
  const hover = await connection.sendRequest(HoverRequest.type, {
    textDocument: { uri },
    position: { line: 9, character: 20 },
  });
  assert.match((hover?.contents as MarkupContent).value, /kubelet insecure tls/);
  await connection.sendRequest(ShutdownRequest.type);
  await connection.sendNotification(ExitNotification.type);
  assert.equal(await ended, 0);
});

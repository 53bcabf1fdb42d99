import * as vscode from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";

import { DOCUMENTS, serverCommand } from "./server";

const NAME = "metrics-server-lint";

let client: LanguageClient | undefined;

/** Starts the server that the settings name. */
async function start(): Promise<void> {
  const settings = vscode.workspace.getConfiguration(NAME);
  const { command, args } = serverCommand({
    path: settings.get<string>("path", NAME),
    pedantic: settings.get<boolean>("pedantic", false),
  });
  client = new LanguageClient(
    NAME,
    NAME,
    { command, args, transport: TransportKind.stdio },
    { documentSelector: DOCUMENTS },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const settings = "Open settings";
    const message = `${NAME}: \`${command}\` cannot be started: ${String(error)}`;
    if ((await vscode.window.showErrorMessage(message, settings)) === settings) {
      await vscode.commands.executeCommand("workbench.action.openSettings", `${NAME}.path`);
    }
  }
}

async function stop(): Promise<void> {
  const running = client;
  client = undefined;
  await running?.stop();
}

/** What is done last: a start waits for the stop before it, whoever asks for them. */
let last: Promise<void> = Promise.resolve();

function restart(): Promise<void> {
  last = last.then(stop).then(start);
  return last;
}

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  context.subscriptions.push(
    vscode.commands.registerCommand(`${NAME}.restart`, restart),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration(NAME)) {
        await restart();
      }
    }),
  );
  await restart();
}

export async function deactivate(): Promise<void> {
  await last;
  await stop();
}

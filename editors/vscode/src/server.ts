/** What is started, and for which files: nothing here knows of the editor, so that it is tested without one. */

/** What a person can set. */
export interface Settings {
  /** The program: a name that is found on the PATH, or a path. */
  path: string;
  /** Whether notes are shown that nobody has to act on. */
  pedantic: boolean;
}

/** A command line. */
export interface Command {
  command: string;
  args: string[];
}

/** The command line of the server. */
export function serverCommand(settings: Settings): Command {
  const command = settings.path.trim() || "metrics-server-lint";
  return { command, args: settings.pedantic ? ["lsp", "--pedantic"] : ["lsp"] };
}

/** The files that the server is told of while they are open: those that it may look into. */
export const DOCUMENTS = [
  { scheme: "file", language: "yaml" },
  { scheme: "file", language: "helm" },
  { scheme: "file", language: "json" },
  { scheme: "file", language: "dotenv" },
  { scheme: "file", language: "terraform" },
  { scheme: "file", language: "shellscript" },
  { scheme: "file", pattern: "**/*.{yaml,yml,json,env,tf,tfvars,hcl,conf,service,cfg,toml,gotmpl,tpl,sls}" },
  { scheme: "file", pattern: "**/*.{j2,jinja2,jinja,tmpl,tftpl,erb,template,mustache,envsubst}" },
  { scheme: "file", pattern: "**/{Kustomization,kubelet,user-data,cloud-init,Makefile,justfile}" },
];

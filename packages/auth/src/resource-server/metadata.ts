/** Where the resources' metadata is served: path-inserted for each, and at the root (RFC 9728 §3.1), host by host. */

import { comparableHost, hostOf } from '../oauth/hosts.ts';
import type { HttpReply } from '../oauth/http.ts';
import { json } from '../oauth/http.ts';
import { protectedResourceMetadata, protectedResourceMetadataUrl } from '../oauth/metadata.ts';
import type { Resource } from '../oauth/resource.ts';

const rootPath = '/.well-known/oauth-protected-resource';

/** `host` is the request's, as it was sent; left out: whichever host has the path. */
export type ResourceMetadataReplies = (path: string, host?: string) => HttpReply | undefined;

/**
 * The root of a host describes the first resource of that host: clients that cannot insert a path look there, and a
 * document for one resource is all they can use. With one host for everything, whatever a request calls it will do.
 */
export function resourceMetadataReplies(resources: readonly Resource[], issuer: string): ResourceMetadataReplies {
  const several = new Set([issuer, ...resources.map(({ uri }) => uri)].map(hostOf)).size > 1;
  const documents = resources.map((resource) => ({
    host: hostOf(resource.uri),
    path: new URL(protectedResourceMetadataUrl(resource.uri)).pathname,
    reply: json(200, protectedResourceMetadata(resource, issuer), { 'cache-control': 'public, max-age=300' }),
  }));
  const hosts = new Set(documents.map(({ host }) => host));
  const anywhere = byPath(documents);
  const byHost = new Map([...hosts].map((host) => [host, byPath(documents.filter((one) => one.host === host))]));
  return (path, host) =>
    several && host !== undefined ? byHost.get(comparableHost(host))?.get(path) : anywhere.get(path);
}

/** The first for each path, and for the root unless that is a path of its own: a resource that is an origin. */
function byPath(documents: ReadonlyArray<{ readonly path: string; readonly reply: HttpReply }>) {
  const [first] = documents;
  const replies = new Map<string, HttpReply>();
  for (const { path, reply } of documents) if (!replies.has(path)) replies.set(path, reply);
  if (first && !replies.has(rootPath)) replies.set(rootPath, first.reply);
  return replies;
}

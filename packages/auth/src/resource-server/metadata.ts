/** Where the resources' metadata is served: path-inserted for each, and at the root (RFC 9728 §3.1). */
import type { HttpReply } from '../oauth/http.ts';
import { json } from '../oauth/http.ts';
import { protectedResourceMetadata, protectedResourceMetadataUrl } from '../oauth/metadata.ts';
import type { Resource } from '../oauth/resource.ts';

const rootPath = '/.well-known/oauth-protected-resource';

/**
 * Path to reply. The root describes the first resource: clients that cannot insert a path look there, and a document
 * for one resource is all they can use.
 */
export function resourceMetadataReplies(
  resources: readonly Resource[],
  issuer: string,
): ReadonlyMap<string, HttpReply> {
  const replies = new Map<string, HttpReply>();
  for (const resource of resources) {
    const reply = json(200, protectedResourceMetadata(resource, issuer), { 'cache-control': 'public, max-age=300' });
    replies.set(new URL(protectedResourceMetadataUrl(resource.uri)).pathname, reply);
    if (!replies.has(rootPath)) replies.set(rootPath, reply);
  }
  return replies;
}

/**
 * Reviewed copies of well-known clients' metadata documents (AS-30): what stands in where a vendor's server refuses ours,
 * as Claude's does to data centres, and never gave us a document. A document that was fetched always wins.
 */
import chatgpt from '../pinned-documents/chatgpt.json' with { type: 'json' };
import claude from '../pinned-documents/claude.json' with { type: 'json' };
import claudeCode from '../pinned-documents/claude-code.json' with { type: 'json' };
import opencode from '../pinned-documents/opencode.json' with { type: 'json' };
import vscode from '../pinned-documents/vscode.json' with { type: 'json' };
import zed from '../pinned-documents/zed.json' with { type: 'json' };

export interface PinnedDocument {
  /** Where its content is known from. */
  readonly source: string;
  /** Whether anybody ever held it against the document at its URL. */
  readonly comparedWithLive: boolean;
  /** Date of the review, `YYYY-MM-DD`. */
  readonly reviewed: string;
  /** As it would be served. */
  readonly document: { readonly client_id: string; readonly [member: string]: unknown };
}

export const vendorDocuments: readonly PinnedDocument[] = [chatgpt, claude, claudeCode, opencode, vscode, zed];

/** What the pool reports: one event per outcome. No secret is ever part of one, save the confirmation code. */

export type PoolEvent =
  | { event: 'confirmation_code.created'; purpose: string; username: string; email: string; code: string }
  | { event: 'user.signed_up' | 'user.confirmed' | 'user.password_changed'; username: string; sub: string }
  | { event: 'user.signed_in' | 'user.signed_out'; clientId: string; sub: string }
  | { event: 'user.sign_in_refused'; clientId: string; reason: string }
  | { event: 'code.issued'; clientId: string; sub: string; scope: string; resource?: string }
  | { event: 'token.issued'; grantType: string; clientId: string; sub: string; scope: string; resource?: string }
  | { event: 'token.revoked'; clientId: string }
  | { event: 'request.refused'; method: string; path: string; status: number; error: string; reason?: string }
  | { event: 'fault'; method: string; path: string; message: string };

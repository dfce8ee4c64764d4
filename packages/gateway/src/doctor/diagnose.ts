/** Facts to findings: every rule, in the order of the report. Pure. */
import type { Facts } from './facts.ts';
import { type Chapter, chapters, type Diagnosis, type Finding, type Rule, type Severity } from './finding.ts';
import { addressRules } from './rules/address.ts';
import { answerRules } from './rules/answer.ts';
import { authorizeRules } from './rules/authorize.ts';
import { browserRules } from './rules/browser.ts';
import { challengeRules } from './rules/challenge.ts';
import { registrationRules } from './rules/registration.ts';
import { requiredMemberRules } from './rules/required-members.ts';
import { resourceRules } from './rules/resource.ts';
import { serverRules } from './rules/server.ts';
import { serverMemberRules } from './rules/server-members.ts';
import { sessionRules } from './rules/session.ts';
import { speedRules } from './rules/speed.ts';
import { tlsRules } from './rules/tls.ts';
import { tokenRules } from './rules/token.ts';

export const allRules: readonly Rule[] = [
  ...addressRules,
  ...tlsRules,
  ...answerRules,
  ...challengeRules,
  ...resourceRules,
  ...serverRules,
  ...requiredMemberRules,
  ...serverMemberRules,
  ...registrationRules,
  ...authorizeRules,
  ...tokenRules,
  ...browserRules,
  ...sessionRules,
  ...speedRules,
];

export const severities: readonly Severity[] = ['fault', 'warning', 'note'];

export function diagnose(facts: Facts): Diagnosis {
  const order = Object.keys(chapters);
  const findings = allRules.flatMap(({ check, ...rule }): Finding[] =>
    check(facts).map(({ saw, cure = rule.cure }) => ({ ...rule, chapter: chapterOf(rule.id), saw, cure })),
  );
  return {
    facts,
    findings: findings.toSorted(
      (one, other) =>
        order.indexOf(one.chapter) - order.indexOf(other.chapter) ||
        severities.indexOf(one.severity) - severities.indexOf(other.severity),
    ),
  };
}

function chapterOf(id: Rule['id']): Chapter {
  return id.slice(0, id.indexOf('.')) as Chapter;
}

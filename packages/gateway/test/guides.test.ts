/** The guides and the README say what is: configurations that load, command lines that parse, links that lead somewhere, names that exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { events } from '@mcp-gatehouse/auth/audit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseDocument } from 'yaml';
import { commands } from '../src/cli.ts';
import { UsageError } from '../src/commands/usage.ts';
import { allRules } from '../src/doctor/diagnose.ts';
import { personas } from '../src/doctor/personas/table.ts';
import { type ConfigInput, checkConfig } from '../src/serve.ts';
import { filterFrom } from '../src/tail/filter.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'docs/guides');
const guides = readdirSync(folder)
  .filter((name) => name.endsWith('.md'))
  .map((name) => join(folder, name));
const pages = [join(root, 'README.md'), join(root, 'packages/gateway/README.md'), ...guides].map((file) => ({
  name: relative(root, file),
  file,
  text: readFileSync(file, 'utf8'),
}));

interface Block {
  readonly page: string;
  readonly language: string;
  readonly line: number;
  readonly text: string;
}

function blocksOf({ name, text }: { name: string; text: string }): readonly Block[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)].map((match) => ({
    page: name,
    language: match[2] ?? '',
    line: text.slice(0, match.index).split('\n').length + 1,
    text: (match[3] ?? '').replaceAll(new RegExp(`^${match[1]}`, 'gm'), ''),
  }));
}

const blocks = pages.flatMap(blocksOf);
const title = ({ page, line }: { readonly page: string; readonly line: number }) => `${page}:${line}`;

describe('configurations', () => {
  /** What a part of a configuration is tried in. */
  const around = {
    issuer: 'https://mcp.example.com',
    resources: [
      { path: '/notes/mcp', target: 'http://127.0.0.1:8000/mcp', scopes: { read: 'read', write: 'write' } },
    ] as [ConfigInput['resources'][number]],
    identityProvider: { type: 'oidc', issuer: 'https://id.example', clientId: 'gatehouse' },
    records: { type: 'memory' },
    secrets: [{ id: 'k1', secret: { env: 'SECRET' } }],
  } satisfies ConfigInput;

  /** A block is a configuration, or parts of one, each behind a comment that says of what. */
  function configurationsIn(text: string): ReadonlyArray<Record<string, unknown>> {
    const parts = text.split(/^(?=# (?:of (?:a resource|the gateway)$|\d+\. ))/m).filter((part) => part.trim() !== '');
    return parts.map((part) => {
      const document = parseDocument(part, { logLevel: 'error' });
      expect([...document.errors, ...document.warnings]).toEqual([]);
      const value = document.toJS() as Record<string, unknown>;
      if ('issuer' in value) return value;
      if (part.startsWith('# of a resource')) return { ...around, resources: [{ ...around.resources[0], ...value }] };
      return { ...around, ...value };
    });
  }

  const yaml = blocks.filter(({ language }) => language === 'yaml');

  it('stand in every guide that is about one', () => {
    const whole = yaml.filter(({ text }) => /^issuer: /m.test(text)).map(({ page }) => page);
    expect(whole).toEqual(
      expect.arrayContaining([
        'README.md',
        'docs/guides/protect-a-python-server.md',
        'docs/guides/protect-a-stdio-server.md',
      ]),
    );
    const providers = yaml.flatMap(({ text }) => /^identityProvider:.*\n {2}type: (\w+)/m.exec(text)?.[1] ?? []);
    expect([...new Set(providers)].sort()).toEqual(
      ['auth0', 'cognito', 'entra', 'github', 'google', 'keycloak', 'oidc', 'okta'].sort(),
    );
  });

  it.each(yaml.map((block) => [title(block), block] as const))('%s can be used', async (name, { text }) => {
    const { providerFrom } = await import('../src/provider-from.ts');
    const found = configurationsIn(text);
    expect(found).not.toEqual([]);
    for (const one of found) {
      const config = checkConfig(name, one);
      // What the preset alone can judge, such as the form of a tenant.
      expect(providerFrom(config.identityProvider, 'secret')).toBeDefined();
    }
  });

  it('would be refused with a setting that there is none of', () => {
    const [first] = configurationsIn('# of a resource\ntargetSecrets: { env: NOTES_SECRET }\n');
    expect(() => checkConfig('a guide', first)).toThrow('resources[0].targetSecrets: is not a known setting');
  });
});

describe('command lines', () => {
  /** Words as a shell makes them: quotes, and a comment at the end. Pipes and lists were split before. */
  function wordsOf(line: string): readonly string[] {
    const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
    const comment = words.findIndex((word) => word.startsWith('#'));
    return (comment < 0 ? words : words.slice(0, comment)).map((word) => word.replaceAll(/['"]/g, ''));
  }

  const command = /^(?:[A-Z_]+=\S+ )?(?:npx )?gatehouse ([a-z].*)$/;
  /** In blocks for a shell, and in words between backticks. */
  const lines = pages.flatMap((page) => {
    const shell = blocksOf(page)
      .filter(({ language }) => language === 'sh' || language === '')
      .flatMap(({ text, line }) => {
        const whole = text.replaceAll(/\\\n */g, (cut) => ' '.repeat(cut.length));
        return whole.split('\n').map((one, index) => ({ typed: one, line: line + index }));
      })
      .flatMap(({ typed, line }) => typed.split(/ \|\s|&&|2>&1/).map((part) => ({ typed: part.trim(), line })));
    const inline = page.text
      .split('\n')
      .flatMap((one, index) =>
        [...one.matchAll(/`([^`]*)`/g)].map(([, part = '']) => ({ typed: part, line: index + 1 })),
      );
    return [...shell, ...inline].flatMap(({ typed, line }) => {
      const rest = command.exec(typed)?.[1];
      return rest === undefined ? [] : [{ page: page.name, line, typed: rest }];
    });
  });

  /** `users|clients` are two. */
  const typed = lines.flatMap((line) => {
    const [first = '', ...args] = wordsOf(line.typed);
    return first.split('|').map((name) => ({ ...line, name, args }));
  });

  /** With `--help` a command reads its arguments strictly, and then does nothing. */
  async function helpOf(name: string, args: readonly string[]): Promise<string> {
    const found = commands.get(name);
    if (!found) throw new UsageError(`There is no command "${name}".`);
    let said = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    // What stands behind -- is a command of somebody else.
    const end = args.indexOf('--');
    const [ours, theirs] = end < 0 ? [args, []] : [args.slice(0, end), args.slice(end)];
    const { run } = await found.load();
    expect(await run([...ours, '--help', ...theirs])).toBe(0);
    return said;
  }
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('stand in the guides', () => {
    const named = new Set(typed.map(({ name }) => name));
    for (const name of ['serve', 'check', 'doctor', 'tail', 'audit', 'token', 'init', 'keys', 'records'])
      expect(named).toContain(name);
  });

  it.each(typed.map((line) => [`${title(line)} ${line.name} ${line.args.join(' ')}`, line] as const))(
    '%s',
    async (_, { name, args }) => {
      const said = await helpOf(name, args);
      expect(said).toContain(`gatehouse ${name}`);
      const [action] = args;
      // Of `keys rotate` and the like; a file or a URL is no action.
      if (['keys', 'grants', 'records'].includes(name) && action !== undefined)
        for (const one of action.split('|')) expect(said).toContain(`gatehouse ${name} ${one}`);
    },
  );

  it('name events, clients and levels that there are', () => {
    const valuesOf = (name: string, flag: string) =>
      typed.filter((line) => line.name === name).flatMap(({ args }) => args.filter((_, at) => args[at - 1] === flag));
    const [named, levels] = [valuesOf('tail', '--event'), valuesOf('tail', '--min-level')];
    expect(named.length).toBeGreaterThan(3);
    for (const event of named) expect(filterFrom({ event: [event] }, 0)).toBeDefined();
    for (const level of levels) expect(filterFrom({ 'min-level': level }, 0)).toBeDefined();
    for (const since of valuesOf('tail', '--since')) expect(filterFrom({ since }, 0)).toBeDefined();
    const known = personas.map(({ client }) => client);
    const clients = valuesOf('doctor', '--client').flatMap((list) => list.split(','));
    expect(clients).not.toEqual([]);
    expect(known).toEqual(expect.arrayContaining(clients));
  });

  it('would be refused with a flag or an action that there is none of', async () => {
    await expect(helpOf('serve', ['--localy'])).rejects.toThrow(UsageError);
    await expect(helpOf('tail', ['--levels', 'notice'])).rejects.toThrow(UsageError);
    await expect(helpOf('servee', [])).rejects.toThrow(UsageError);
    expect(await helpOf('keys', ['renew'])).not.toContain('gatehouse keys renew');
    expect(() => filterFrom({ event: ['tool.refused'] }, 0)).toThrow(UsageError);
  });
});

describe('links', () => {
  /** As GitHub makes them of headings. */
  function anchorsOf(text: string): ReadonlySet<string> {
    return new Set(
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
          .replaceAll(' ', '-'),
      ),
    );
  }

  function brokenLinks({ file, text }: { readonly file: string; readonly text: string }): readonly string[] {
    const prose = text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
    const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    return targets.filter((target) => {
      if (/^https?:/.test(target)) return false;
      const [path = '', anchor] = target.split('#');
      const place = path === '' ? file : join(dirname(file), path);
      if (!existsSync(place)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(place, 'utf8')).has(anchor);
    });
  }

  it.each(pages.map((page) => [page.name, page] as const))('of %s lead somewhere', (_, page) => {
    expect(brokenLinks(page)).toEqual([]);
  });

  it('would be missed', () => {
    const file = join(folder, 'sign-in.md');
    const text = '[a](nowhere.md) [b](deploying.md#nowhere) [c](deploying.md#aws-lambda) [d](https://example.com)';
    expect(brokenLinks({ file, text })).toEqual(['nowhere.md', 'deploying.md#nowhere']);
  });

  it('lead from the README to every guide', () => {
    const readme = pages[0]?.text ?? '';
    for (const guide of guides) expect(readme).toContain(`](${relative(root, guide)}`);
  });
});

describe('names', () => {
  /** As sources write them; of reasons that are put together, their beginning. */
  const sources = ['packages/auth/src', 'packages/gateway/src']
    .flatMap((place) =>
      readdirSync(join(root, place), { recursive: true, encoding: 'utf8' }).map((one) => join(root, place, one)),
    )
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const findings = new Set<string>(allRules.map(({ id }) => id));

  function isKnown(name: string): boolean {
    if (Object.hasOwn(events, name) || findings.has(name) || sources.includes(`'${name}'`)) return true;
    const family = name.replace(/…$|[^.]*$/, '');
    // `idp.answered.…` and the like end in what somebody else said.
    return (
      sources.includes(`\`${family}\${`) ||
      (name.endsWith('…') && [...findings].some((id) => id.startsWith(name.slice(0, -1))))
    );
  }

  it('of events, reasons and findings in the guide to troubleshooting are those of the program', () => {
    const { text = '' } = pages.find(({ name }) => name.endsWith('troubleshooting.md')) ?? {};
    const named = [...text.matchAll(/`([a-z]+(?:[._][a-z]+)*\.[a-z_-]*…?)`/g)].map(([, name = '']) => name);
    const elsewhere = new Set(['claude.ai', 'www.', 'gatehouse.yaml']);
    const unknown = named.filter((name) => !elsewhere.has(name) && !isKnown(name));
    expect(named.length).toBeGreaterThan(40);
    expect(unknown).toEqual([]);
  });

  it('would be missed', () => {
    expect(
      ['token.audience', 'idp.answered.access_denied', 'tls.…', 'speed.token', 'guard.refused'].filter(isKnown),
    ).toHaveLength(5);
    expect(['token.audiences', 'idp.said.no', 'ssl.…', 'speed.tokens', 'guard.denied'].filter(isKnown)).toEqual([]);
  });
});

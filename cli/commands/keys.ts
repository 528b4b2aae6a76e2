// keys: API keys for tenants and operators, from making one to revoking it.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Role, roles } from '#platform/api-keys.ts'
import { WrongUse } from '../exit.ts'
import {
  type InstanceOptions,
  parseDurationOption,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { withInstance } from '../session.ts'
import { table } from '../table.ts'

interface CreateOptions extends InstanceOptions {
  readonly role: Role
  readonly advertiser?: readonly string[]
  readonly publisher?: readonly string[]
  readonly name?: string
  readonly expires?: number
  readonly json?: boolean
}

interface KeyRecord {
  readonly key_id: string
  readonly prefix: string
  readonly role: string
  readonly advertiser_ids: readonly string[]
  readonly publisher_ids: readonly string[]
  readonly name: string
  readonly created_at: string
  readonly expires_at: string | null
  readonly last_used_at: string | null
  readonly state: string
}

const pageKeys = 1_000

const createHelp = `
The key is shown once: only its hash is kept. advertiser keys see the advertisers they name, publisher
keys their publishers; engineer keys see everything and may import and rebuild; admin keys may do
everything. Give --advertiser or --publisher several times for several.

Examples:
  clickledger keys create --role advertiser --advertiser acme
  clickledger keys create --role advertiser --advertiser acme --advertiser acme-outlet --expires 90d
  clickledger keys create --role engineer --name airflow --json`

const listHelp = `
Keys are shown by their beginning, never whole. "last used" is to the minute.

Examples:
  clickledger keys list
  clickledger keys list --ended --json`

const rotateHelp = `
Prints the new key, once. It has the same role, tenants, name and length of life; the old one stays good
for the grace period, so that both work while the new one is put in place.

Examples:
  clickledger keys rotate key_0a1b2c3d4e5f6071
  clickledger keys rotate key_0a1b2c3d4e5f6071 --grace 1h`

const revokeHelp = `
In force everywhere within 10 seconds.

Example:
  clickledger keys revoke key_0a1b2c3d4e5f6071`

function checkTenant({ role, advertiser, publisher }: CreateOptions): void {
  if ((role === 'advertiser') !== (advertiser !== undefined)) {
    throw new WrongUse('--role advertiser needs --advertiser, and no other role takes it')
  }
  if ((role === 'publisher') !== (publisher !== undefined)) {
    throw new WrongUse('--role publisher needs --publisher, and no other role takes it')
  }
}

const collect = (id: string, before: readonly string[] = []) => [...before, id]

/** One tenant as servers of any release understand it, several as a list. */
const tenants = (kind: 'advertiser' | 'publisher', ids: readonly string[] | undefined) => {
  if (ids === undefined) return {}
  return ids.length === 1 ? { [`${kind}_id`]: ids[0] } : { [`${kind}_ids`]: ids }
}

function addCreate(keys: Command): void {
  const command = keys
    .command('create')
    .description('make an API key')
    .addOption(new Option('--role <role>', 'what it may do').choices(roles).makeOptionMandatory())
    .option('--advertiser <id>', 'an advertiser of an advertiser key', collect)
    .option('--publisher <id>', 'a publisher of a publisher key', collect)
    .option('--name <name>', 'whose key it is')
    .option(
      '--expires <duration>',
      'how long it lives, such as 90d (default: for ever)',
      parseDurationOption,
    )
    .option('--json', 'print JSON')
    .addHelpText('after', createHelp)
  withInstanceOptions(command).action(async (options: CreateOptions) => {
    checkTenant(options)
    const { role, advertiser, publisher, name, expires } = options
    const made = await withInstance(sessionOptions(options, signalAbort()), ({ api }) =>
      api.postOnce('/v1/keys', {
        ...{ role, name, ...tenants('advertiser', advertiser), ...tenants('publisher', publisher) },
        ...(expires ? { expires_at: new Date(Date.now() + expires).toISOString() } : {}),
      }),
    )
    if (options.json) printJson(made)
    else print((made as { key: string }).key)
  })
}

const when = (time: string | null) => time?.slice(0, 16).replace('T', ' ') ?? '-'
const scopeOf = ({ advertiser_ids, publisher_ids }: KeyRecord) =>
  [...advertiser_ids, ...publisher_ids].join(' ') || 'all'

const columns = [
  { title: 'id', of: (key: KeyRecord) => key.key_id },
  { title: 'begins', of: (key: KeyRecord) => key.prefix },
  { title: 'role', of: (key: KeyRecord) => key.role },
  { title: 'sees', of: scopeOf },
  { title: 'name', of: (key: KeyRecord) => key.name },
  { title: 'created', of: (key: KeyRecord) => when(key.created_at) },
  { title: 'expires', of: (key: KeyRecord) => when(key.expires_at) },
  { title: 'last used', of: (key: KeyRecord) => when(key.last_used_at) },
  { title: 'state', of: (key: KeyRecord) => key.state },
]

function addList(keys: Command): void {
  const command = keys
    .command('list')
    .description('show API keys, without the keys')
    .option('--ended', 'expired and revoked ones, too')
    .option('--json', 'print JSON')
    .addHelpText('after', listHelp)
  type Options = InstanceOptions & { ended?: boolean; json?: boolean }
  withInstanceOptions(command).action(async (options: Options) => {
    const found = await withInstance(sessionOptions(options, signalAbort()), async ({ api }) => {
      const all: KeyRecord[] = []
      for (let after: string | null = ''; after !== null; ) {
        const query = `limit=${pageKeys}&ended=${options.ended === true}&after=${after}`
        const page = (await api.get(`/v1/keys?${query}`)) as {
          data: KeyRecord[]
          next: string | null
        }
        all.push(...page.data)
        after = page.next
      }
      return all.toSorted((a, b) => a.created_at.localeCompare(b.created_at))
    })
    if (options.json) printJson(found)
    else print(table(columns, found))
  })
}

function parseGrace(text: string): number {
  if (/^0[a-z]*$/.test(text)) return 0
  const ms = parseDurationOption(text)
  if (ms % 1_000 !== 0) throw new InvalidArgumentError('it must be whole seconds')
  return ms
}

function addRotate(keys: Command): void {
  const command = keys
    .command('rotate')
    .description('replace an API key; the old one stays good for a while')
    .argument('<id>', 'id of the key, see keys list')
    .option('--grace <duration>', 'how long the old one stays good (default: 24h)', parseGrace)
    .option('--json', 'print JSON')
    .addHelpText('after', rotateHelp)
  type Options = InstanceOptions & { grace?: number; json?: boolean }
  withInstanceOptions(command).action(async (id: string, options: Options) => {
    const body = options.grace === undefined ? {} : { grace_seconds: options.grace / 1_000 }
    const rotated = (await withInstance(sessionOptions(options, signalAbort()), ({ api }) =>
      api.postOnce(`/v1/keys/${encodeURIComponent(id)}/rotate`, body),
    )) as { key: string; old: KeyRecord }
    if (options.json) printJson(rotated)
    else {
      print(rotated.key)
      process.stderr.write(`The old key is good until ${rotated.old.expires_at}.\n`)
    }
  })
}

function addRevoke(keys: Command): void {
  const command = keys
    .command('revoke')
    .description('end an API key')
    .argument('<id>', 'id of the key, see keys list')
    .option('--json', 'print JSON')
    .addHelpText('after', revokeHelp)
  type Options = InstanceOptions & { json?: boolean }
  withInstanceOptions(command).action(async (id: string, options: Options) => {
    const revoked = (await withInstance(sessionOptions(options, signalAbort()), ({ api }) =>
      api.delete(`/v1/keys/${encodeURIComponent(id)}`),
    )) as KeyRecord
    if (options.json) printJson(revoked)
    else print(`${revoked.key_id} (${revoked.prefix}..) is revoked`)
  })
}

export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('API keys')
  addCreate(keys)
  addList(keys)
  addRotate(keys)
  addRevoke(keys)
}

// keys create: API keys for tenants and operators.
import { type Command, Option } from 'commander'
import { type Role, roles } from '#platform/api-keys.ts'
import { WrongUse } from '../exit.ts'
import {
  type InstanceOptions,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { withInstance } from '../session.ts'

interface Options extends InstanceOptions {
  readonly role: Role
  readonly advertiser?: string
  readonly publisher?: string
  readonly name?: string
  readonly json?: boolean
}

const help = `
The key is shown once: only its hash is kept. advertiser keys see one advertiser, publisher keys one
publisher; engineer keys see everything and may import and rebuild; admin keys may do everything.

Examples:
  clickledger keys create --role advertiser --advertiser acme
  clickledger keys create --role engineer --name airflow --json`

function checkTenant({ role, advertiser, publisher }: Options): void {
  if ((role === 'advertiser') !== (advertiser !== undefined)) {
    throw new WrongUse('--role advertiser needs --advertiser, and no other role takes it')
  }
  if ((role === 'publisher') !== (publisher !== undefined)) {
    throw new WrongUse('--role publisher needs --publisher, and no other role takes it')
  }
}

export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('API keys')
  const command = keys
    .command('create')
    .description('make an API key')
    .addOption(new Option('--role <role>', 'what it may do').choices(roles).makeOptionMandatory())
    .option('--advertiser <id>', 'the advertiser of an advertiser key')
    .option('--publisher <id>', 'the publisher of a publisher key')
    .option('--name <name>', 'whose key it is')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (options: Options) => {
    checkTenant(options)
    const { role, advertiser, publisher, name } = options
    const made = await withInstance(sessionOptions(options, signalAbort()), ({ api }) =>
      api.postOnce('/v1/keys', { role, advertiser_id: advertiser, publisher_id: publisher, name }),
    )
    if (options.json) printJson(made)
    else print((made as { key: string }).key)
  })
}

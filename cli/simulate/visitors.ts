// Who clicks: people in many countries, by the hour of their day, with the devices of today; robots; and
// a click farm. Addresses are in ranges that belong to access networks of the countries named (checked
// against the bundled geography database by a test); no packet is ever sent to them.
import { createWeighted, pick, type Random } from './random.ts'

export interface Visitor {
  readonly country: string
  readonly ip: string
  readonly userAgent: string
  /** Undefined: not logged in, known by address and agent only. */
  readonly userId: string | undefined
}

interface Country {
  readonly code: string
  /** Share of the world's clicks over a whole day. */
  readonly weight: number
  /** Hours ahead of UTC, roughly. */
  readonly utcHours: number
  /** /16 networks. */
  readonly networks: readonly string[]
}

export const countries: readonly Country[] = [
  { code: 'US', weight: 26, utcHours: -6, networks: ['73.162', '24.5', '98.207', '67.180'] },
  { code: 'IN', weight: 14, utcHours: 5.5, networks: ['49.36', '106.210', '117.200'] },
  { code: 'BR', weight: 9, utcHours: -3, networks: ['177.32', '189.100'] },
  { code: 'DE', weight: 8, utcHours: 1, networks: ['91.64', '84.150', '79.200'] },
  { code: 'GB', weight: 8, utcHours: 0, networks: ['86.150', '81.152'] },
  { code: 'JP', weight: 7, utcHours: 9, networks: ['126.10', '153.150', '60.100'] },
  { code: 'FR', weight: 6, utcHours: 1, networks: ['82.64', '86.200'] },
  { code: 'MX', weight: 4, utcHours: -6, networks: ['187.128', '189.140'] },
  { code: 'KR', weight: 4, utcHours: 9, networks: ['175.192', '121.160'] },
  { code: 'IL', weight: 3, utcHours: 2, networks: ['79.176', '84.108', '109.64'] },
  { code: 'CA', weight: 3, utcHours: -5, networks: ['99.224', '70.50'] },
  { code: 'AU', weight: 3, utcHours: 10, networks: ['1.128', '120.150'] },
  { code: 'NL', weight: 3, utcHours: 1, networks: ['84.24', '77.160'] },
  { code: 'NG', weight: 2, utcHours: 1, networks: ['105.112', '197.210'] },
]

const agents = [
  {
    share: 30,
    text: 'Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36',
  },
  {
    share: 22,
    text: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
  },
  {
    share: 20,
    text: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  },
  {
    share: 8,
    text: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0',
  },
  {
    share: 7,
    text: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  },
  {
    share: 5,
    text: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0',
  },
  {
    share: 4,
    text: 'Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1',
  },
  { share: 2, text: 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0' },
  {
    share: 2,
    text: 'Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/7.0 TV Safari/537.36',
  },
] as const

export const robotAgents = [
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
  'python-requests/2.32.3',
  'curl/8.10.1',
] as const

const visitorsPerCountryPoint = 200
const loggedInShare = 0.4

/** Activity at a local hour: least at 4 in the morning, most at 8 in the evening. */
export function activityAt(localHour: number): number {
  return 1 + 0.75 * Math.cos(((localHour - 20) / 24) * 2 * Math.PI)
}

const octet = (random: Random) => 1 + Math.floor(random() * 254)
export const addressIn = (random: Random, network: string) =>
  `${network}.${octet(random)}.${octet(random)}`

/** All the people: about 200 for each point of a country's weight. */
export function createVisitors(random: Random): ReadonlyMap<string, readonly Visitor[]> {
  const agentOf = createWeighted(agents, (agent) => agent.share)
  const visitorsOf = ({ code, weight, networks }: Country) =>
    Array.from({ length: weight * visitorsPerCountryPoint }, (_, i) => ({
      country: code,
      ip: addressIn(random, pick(random, networks)),
      userAgent: agentOf(random).text,
      userId: random() < loggedInShare ? `user-${code.toLowerCase()}-${i}` : undefined,
    }))
  return new Map(countries.map((country) => [country.code, visitorsOf(country)]))
}

/** A choice of countries that follows the sun. */
export function createCountryChoice(now: number): (random: Random) => Country {
  const utcHour = (now / 3_600_000) % 24
  return createWeighted(
    countries,
    ({ weight, utcHours }) => weight * activityAt(utcHour + utcHours),
  )
}

// What a User-Agent header says: device, system, browser, robot. Parsing costs as much as the rest
// of a click, and few agents make most of the traffic: answers are remembered, bounded.
import Bowser from 'bowser'
import { isbot } from 'isbot'
import { LRUCache } from 'lru-cache'

export interface Agent {
  /** desktop, mobile, tablet, tv or bot; empty: unknown. */
  readonly device_type: string
  readonly os: string
  readonly browser: string
  /** A robot, or no agent at all. */
  readonly isBot: boolean
  /** Fetches pages to show a preview of a link that somebody posted. */
  readonly isPreview: boolean
}

const agentsMax = 20_000

const previewPattern =
  /facebookexternalhit|facebookcatalog|whatsapp\/|twitterbot|slackbot|slack-imgproxy|telegrambot|discordbot|linkedinbot|skypeuripreview|pinterestbot|redditbot|viber|vkshare|embedly|iframely|bitlybot|mastodon|google-pagerenderer|snapchat\/.*preview/i

const none: Agent = { device_type: '', os: '', browser: '', isBot: true, isPreview: false }

function parse(userAgent: string): Agent {
  const { platform, os, browser } = Bowser.parse(userAgent)
  const isPreview = previewPattern.test(userAgent)
  const isBot = isPreview || isbot(userAgent)
  return {
    device_type: isBot ? 'bot' : (platform.type ?? ''),
    os: os.name ?? '',
    browser: browser.name ?? '',
    isBot,
    isPreview,
  }
}

/** A parser with a memory. */
export function createAgentParser(): (userAgent: string) => Agent {
  const known = new LRUCache<string, Agent>({ max: agentsMax })
  return (userAgent) => {
    if (userAgent === '') return none
    let agent = known.get(userAgent)
    if (!agent) {
      agent = parse(userAgent)
      known.set(userAgent, agent)
    }
    return agent
  }
}

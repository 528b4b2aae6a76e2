import test from 'ava'
import { createAgentParser } from './agents.ts'

const agentOf = createAgentParser()

test('devices, systems and browsers', (t) => {
  const phone = agentOf(
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1',
  )
  t.like(phone, { device_type: 'mobile', os: 'iOS', browser: 'Safari', isBot: false })
  const desktop = agentOf(
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  )
  t.like(desktop, { device_type: 'desktop', os: 'Windows', browser: 'Chrome', isBot: false })
})

test('robots, previews, and no agent at all', (t) => {
  t.like(agentOf('Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'), {
    device_type: 'bot',
    isBot: true,
    isPreview: false,
  })
  t.like(agentOf('facebookexternalhit/1.1'), { isBot: true, isPreview: true })
  t.like(agentOf('WhatsApp/2.23.20.0'), { isBot: true, isPreview: true })
  t.like(agentOf(''), { isBot: true, isPreview: false })
})

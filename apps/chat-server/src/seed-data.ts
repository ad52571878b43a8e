/** The demo: agents, tools and the data of two users, as rows. Plain data; seed.ts writes it. */
import type { SqlConfig } from './agents/tool-kinds/sql.ts';
import type { StaticConfig } from './agents/tool-kinds/static.ts';

/** The user that the demo's API key belongs to. */
export const DEMO_USER = 'demo';
/** Somebody else, whose rows the demo user's tools must never show. */
export const OTHER_USER = 'robin';

interface SeedTool {
  readonly name: string;
  readonly kind: string;
  readonly description: string;
  readonly config: (Partial<SqlConfig> | StaticConfig) & Readonly<Record<string, unknown>>;
  readonly args_schema: Readonly<Record<string, unknown>>;
}

interface SeedAgent {
  readonly agent_name: string;
  readonly description: string;
  readonly instructions: string;
  readonly llm_config: Readonly<Record<string, unknown>>;
  readonly is_public: boolean;
  /** Names of its tools, in order; with an override where this agent has one. */
  readonly tools: readonly (string | readonly [name: string, override: Readonly<Record<string, unknown>>])[];
}

function args(
  properties: Readonly<Record<string, unknown>> = {},
  required: readonly string[] = [],
): SeedTool['args_schema'] {
  return { type: 'object', properties, required, additionalProperties: false };
}

const searchText = { type: 'string', minLength: 2, maxLength: 100, description: 'Words to look for' };

export const seedTools: readonly SeedTool[] = [
  {
    name: 'list_emails',
    kind: 'sql',
    description: 'The newest e-mails of the user, unread ones only if asked for.',
    config: {
      statement: `select sender, subject, snippet, is_read, received_at from demo_emails
        where user_id = $1 and ($2 is not true or not is_read) order by received_at desc, id`,
      params: [
        { from: 'ctx.userId', type: 'text' },
        { from: 'args.unread_only', type: 'boolean' },
      ],
      maxRows: 50,
    },
    args_schema: args({ unread_only: { type: 'boolean', default: true, description: 'Leave out what has been read' } }),
  },
  {
    name: 'search_emails',
    kind: 'sql',
    description: "Finds the user's e-mails by words in subject or sender.",
    config: {
      statement: `select sender, subject, snippet, received_at from demo_emails
        where user_id = $1 and strpos(lower(subject || ' ' || sender), lower($2)) > 0 order by received_at desc, id`,
      params: [
        { from: 'ctx.userId', type: 'text' },
        { from: 'args.text', type: 'text' },
      ],
      maxRows: 20,
    },
    args_schema: args({ text: searchText }, ['text']),
  },
  {
    name: 'count_unread_emails',
    kind: 'sql',
    description: 'How many unread e-mails the user has, by sender.',
    config: {
      statement: `select sender, count(*)::int as unread from demo_emails
        where user_id = $1 and not is_read group by sender order by unread desc, sender`,
      params: [{ from: 'ctx.userId', type: 'text' }],
    },
    args_schema: args(),
  },
  {
    name: 'list_tasks',
    kind: 'sql',
    description: "The user's tasks, the most urgent first.",
    config: {
      statement: `select id, title, status, priority, due_on from demo_tasks
        where user_id = $1 and ($2 is null or status = $2) order by priority, due_on nulls last, id`,
      params: [
        { from: 'ctx.userId', type: 'text' },
        { from: 'args.status', type: 'text' },
      ],
      maxRows: 50,
    },
    args_schema: args({ status: { type: 'string', enum: ['open', 'done'], description: 'Only tasks in this state' } }),
  },
  {
    name: 'search_tasks',
    kind: 'sql',
    description: "Finds the user's tasks by words in their title.",
    config: {
      statement: `select id, title, status, due_on from demo_tasks
        where user_id = $1 and strpos(lower(title), lower($2)) > 0 order by id`,
      params: [
        { from: 'ctx.userId', type: 'text' },
        { from: 'args.text', type: 'text' },
      ],
      maxRows: 20,
    },
    args_schema: args({ text: searchText }, ['text']),
  },
  {
    name: 'count_open_tasks',
    kind: 'sql',
    description: 'How many open tasks the user has, by priority (1 is the highest).',
    config: {
      statement: `select priority, count(*)::int as open from demo_tasks
        where user_id = $1 and status = 'open' group by priority order by priority`,
      params: [{ from: 'ctx.userId', type: 'text' }],
    },
    args_schema: args(),
  },
  {
    name: 'search_products',
    kind: 'sql',
    description: 'Finds products by name, the cheapest first.',
    config: {
      statement: `select sku, name, price_cents, stock from demo_products
        where strpos(lower(name), lower($1)) > 0 and ($2 is null or price_cents <= $2) order by price_cents, sku`,
      params: [
        { from: 'args.text', type: 'text' },
        { from: 'args.max_price_cents', type: 'integer' },
      ],
      maxRows: 10,
    },
    args_schema: args({ text: searchText, max_price_cents: { type: 'integer', minimum: 0 } }, ['text']),
  },
  {
    name: 'get_product',
    kind: 'sql',
    description: 'Name, price and stock of one product.',
    config: {
      statement: 'select sku, name, price_cents, stock from demo_products where sku = $1',
      params: [{ from: 'args.sku', type: 'text' }],
      maxRows: 1,
    },
    args_schema: args({ sku: { type: 'string', minLength: 1, maxLength: 20 } }, ['sku']),
  },
  {
    name: 'get_shipping_policy',
    kind: 'static',
    description: 'What shipping costs and how long it takes, by region.',
    config: {
      pick: 'region',
      value: {
        domestic: { days: '1-2', cents: 390, free_from_cents: 4000 },
        europe: { days: '3-5', cents: 990, free_from_cents: 9000 },
        world: { days: '7-14', cents: 1990, free_from_cents: null },
      },
    },
    args_schema: args({ region: { type: 'string', enum: ['domestic', 'europe', 'world'] } }, ['region']),
  },
  {
    name: 'get_working_hours',
    kind: 'static',
    description: 'When people here work.',
    config: { value: { timezone: 'Europe/Berlin', days: 'Monday to Friday', from: '09:00', until: '17:30' } },
    args_schema: args(),
  },
  {
    name: 'get_writing_style',
    kind: 'static',
    description: 'How a digest should be written.',
    config: {
      value: { tone: 'friendly, brief', length: 'at most ten lines', order: 'urgent first, newsletters last' },
    },
    args_schema: args(),
  },
];

export const seedAgents: readonly SeedAgent[] = [
  {
    agent_name: 'email_digest_agent',
    description: 'Sums up the inbox.',
    instructions:
      'You write digests of e-mails. Read the unread e-mails with your tools, group them by what they ask of the reader, and say first what cannot wait. Never invent an e-mail.',
    llm_config: { temperature: 0.3, max_tokens: 1500 },
    is_public: false,
    tools: [['list_emails', { maxRows: 25 }], 'count_unread_emails', 'search_emails', 'get_writing_style'],
  },
  {
    agent_name: 'task_coach',
    description: 'Helps to choose what to do next.',
    instructions:
      'You help people to choose their next task. Look at their open tasks before you advise, and keep to their working hours.',
    llm_config: { temperature: 0.5, max_tokens: 1000, max_steps: 6 },
    is_public: false,
    tools: [
      'list_tasks',
      'count_open_tasks',
      'search_tasks',
      ['get_working_hours', { value: { note: 'Leave Friday afternoon free of meetings.' } }],
    ],
  },
  {
    agent_name: 'shop_assistant',
    description: 'Answers questions about products and shipping.',
    instructions:
      'You advise customers of a stationery shop. Prices are in cents; show them in euros. If something is out of stock, offer what is nearest to it.',
    llm_config: {},
    is_public: true,
    tools: ['search_products', 'get_product', 'get_shipping_policy', 'get_working_hours'],
  },
  {
    agent_name: 'listener',
    description: 'Talks, and has no tools.',
    instructions: 'You are a good listener. Ask one question at a time.',
    llm_config: { temperature: 0.9 },
    is_public: true,
    tools: [],
  },
];

export const seedInstructions = [
  { user_id: DEMO_USER, agent_name: 'email_digest_agent', instructions: 'Put mails from my landlord {or bank} first.' },
] as const;

export const seedTasks = [
  { user_id: DEMO_USER, title: 'Send the offer to Miller & Sons', status: 'open', priority: 1, due_on: '2027-01-08' },
  { user_id: DEMO_USER, title: 'Renew the passport', status: 'open', priority: 2, due_on: '2027-02-01' },
  { user_id: DEMO_USER, title: 'Book a table for Friday', status: 'done', priority: 3, due_on: null },
  { user_id: DEMO_USER, title: 'Water the plants', status: 'open', priority: 3, due_on: null },
  { user_id: OTHER_USER, title: 'Prepare the surprise party', status: 'open', priority: 1, due_on: '2027-01-15' },
] as const;

export const seedEmails = [
  {
    user_id: DEMO_USER,
    sender: 'landlord@example.com',
    subject: 'Heating will be off on Tuesday',
    snippet: 'Between 8 and 12 the technicians will ...',
    is_read: false,
    received_at: '2026-11-20T08:12:00Z',
  },
  {
    user_id: DEMO_USER,
    sender: 'anna@example.com',
    subject: 'Offer for Miller & Sons',
    snippet: 'They would like the numbers by Thursday.',
    is_read: false,
    received_at: '2026-11-20T09:30:00Z',
  },
  {
    user_id: DEMO_USER,
    sender: 'news@example.org',
    subject: 'This week in stationery',
    snippet: 'Twelve notebooks that lie flat',
    is_read: false,
    received_at: '2026-11-19T06:00:00Z',
  },
  {
    user_id: DEMO_USER,
    sender: 'anna@example.com',
    subject: 'Lunch?',
    snippet: 'The new place at the corner has opened.',
    is_read: true,
    received_at: '2026-11-18T11:05:00Z',
  },
  {
    user_id: OTHER_USER,
    sender: 'cake@example.com',
    subject: 'Your order: one cake, big',
    snippet: 'We will deliver it on the 15th.',
    is_read: false,
    received_at: '2026-11-20T10:00:00Z',
  },
] as const;

export const seedProducts = [
  { sku: 'NB-100', name: 'Notebook A5, dotted', price_cents: 890, stock: 112, cost_cents: 310 },
  { sku: 'NB-200', name: 'Notebook A4, lined', price_cents: 1190, stock: 0, cost_cents: 420 },
  { sku: 'PN-010', name: 'Fountain pen, blue', price_cents: 2490, stock: 17, cost_cents: 1100 },
  { sku: 'IK-003', name: 'Ink, 50 ml, black', price_cents: 990, stock: 64, cost_cents: 350 },
] as const;

/** All cases. */
import type { Case } from '../case.js';
import { rfc5492, rfc6286, rfc6793, rfc8654, rfc9072 } from './capabilities.js';
import { rfc1997, rfc4360, rfc8092 } from './communities.js';
import { cpnCases } from './cpn.js';
import { prefixSid, rfc2545, rfc4659, rfc4760, rfc7911, rfc8950 } from './families.js';
import { rfc4724, rfc8538 } from './graceful-restart.js';
import { rfc2385, rfc4486, rfc5082, rfc8212, rfc9003 } from './protection.js';
import { rfc4456 } from './reflection.js';
import { rfc2918, rfc7313 } from './refresh.js';
import { rfc4271Messages, rfc6608 } from './rfc4271-messages.js';
import { rfc4271Routes } from './rfc4271-routes.js';
import { rfc4271Timers } from './rfc4271-timers.js';
import { rfc9234 } from './roles.js';
import { laterAttributes, rfc7606, rfc7607 } from './rfc7606.js';

export const allCases: readonly Case[] = [...rfc4271Messages, ...rfc4271Timers, ...rfc4271Routes, ...rfc6608, ...rfc7606, ...rfc7607, ...laterAttributes, ...prefixSid, ...rfc2545, ...rfc4659, ...rfc4760, ...rfc5492, ...rfc6286, ...rfc6793, ...rfc7911, ...rfc8654, ...rfc8950, ...rfc9072, ...rfc1997, ...rfc4360, ...rfc8092, ...rfc4724, ...rfc8538, ...rfc2385, ...rfc4486, ...rfc5082, ...rfc8212, ...rfc9003, ...rfc2918, ...rfc7313, ...rfc4456, ...rfc9234, ...cpnCases];

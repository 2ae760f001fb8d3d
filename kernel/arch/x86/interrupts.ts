/** Interrupts: the local timer and the inter-processor interrupts (arch/x86/kernel/smp.c, apic.c). */
import type { X86Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_IPI_ACK, COST_IPI_SEND, COST_IRQ_MASK } from "../../costs.ts";
import { flushCallQueue } from "../../cross-call.ts";
import { runSoftirqs } from "../../kernel.ts";
import { timerInterrupt, updateTimer } from "../../sched/index.ts";
import { acknowledge, sendFixed } from "./apic.ts";
import {
  CALL_FUNCTION_SINGLE_VECTOR,
  CALL_FUNCTION_VECTOR,
  LOCAL_TIMER_VECTOR,
  RESCHEDULE_VECTOR,
  SPURIOUS_APIC_VECTOR,
} from "./vectors.ts";

/**
 * An interrupt handler, from entry to exit: hardware half with interrupts off, then, in the outermost one, deferred
 * work with interrupts on.
 */
export function* interrupt(k: Context, vector: number): Work {
  const kernel = k.kernel;
  k.irqDepth++;
  k.atomicDepth++;
  if (vector !== SPURIOUS_APIC_VECTOR) {
    if (k.point(COST_IPI_ACK)) yield;
    acknowledge(k.cpu as X86Cpu);
  }
  switch (vector) {
    case LOCAL_TIMER_VECTOR:
      kernel.count("LOC");
      timerInterrupt(k);
      break;
    case CALL_FUNCTION_VECTOR:
    case CALL_FUNCTION_SINGLE_VECTOR:
      kernel.count("CAL");
      yield* flushCallQueue(k);
      break;
    case RESCHEDULE_VECTOR:
      kernel.count("RES");
      updateTimer(k);
      break;
    case SPURIOUS_APIC_VECTOR:
      kernel.count("SPU");
      break;
    default:
      kernel.printk(`__common_interrupt: ${k.cpu.id}.${vector} No irq handler for vector`);
  }
  k.atomicDepth--;
  k.irqDepth--;
  if (k.irqDepth === 0 && k.softirqDepth === 0 && kernel.rcu.isReady(k.cpu.id)) {
    k.cpu.setInterruptsEnabled(true);
    if (k.point(COST_IRQ_MASK)) yield;
    yield* runSoftirqs(k);
    k.cpu.setInterruptsEnabled(false);
  }
}

/** Sends an inter-processor interrupt to another core. */
export function sendIpi(k: Context, target: number, vector: number): void {
  k.cpu.charge(COST_IPI_SEND);
  k.kernel.count(vector === RESCHEDULE_VECTOR ? "ipi_reschedule" : "ipi_call_function");
  sendFixed(k.cpu as X86Cpu, target, vector);
}

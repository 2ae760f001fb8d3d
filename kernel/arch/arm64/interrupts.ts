/** Interrupts: the virtual timer and the inter-processor interrupts (drivers/irqchip/irq-gic-v3.c, arch/arm64/kernel/smp.c). */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_IPI_ACK, COST_IPI_SEND, COST_IRQ_MASK } from "../../costs.ts";
import { flushCallQueue } from "../../cross-call.ts";
import { runSoftirqs } from "../../kernel.ts";
import { timerInterrupt, updateTimer } from "../../sched/index.ts";
import {
  acknowledge,
  endOfInterrupt,
  INTID_VIRTUAL_TIMER,
  IPI_CALL_FUNC,
  IPI_RESCHEDULE,
  sendSgi,
} from "./gic.ts";
import { maskTimer } from "./timer.ts";

/**
 * gic_handle_irq(), from entry to exit: acknowledge, hardware half with interrupts off, end of interrupt; then, in the
 * outermost one, deferred work with interrupts on.
 */
export function* interrupt(k: Context): Work {
  const kernel = k.kernel;
  k.irqDepth++;
  k.atomicDepth++;
  if (k.point(COST_IPI_ACK)) yield;
  const intid = acknowledge(k.cpu as Aarch64Cpu);
  if (intid >= 0) {
    yield* handle(k, intid);
    if (k.point(COST_IPI_ACK)) yield;
    endOfInterrupt(k.cpu as Aarch64Cpu, intid);
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

function* handle(k: Context, intid: number): Work {
  const kernel = k.kernel;
  switch (intid) {
    case INTID_VIRTUAL_TIMER:
      kernel.count("arch_timer");
      maskTimer(k.cpu as Aarch64Cpu);
      timerInterrupt(k);
      break;
    case IPI_CALL_FUNC:
      kernel.count("IPI1");
      yield* flushCallQueue(k);
      break;
    case IPI_RESCHEDULE:
      kernel.count("IPI0");
      updateTimer(k);
      break;
    default:
      kernel.printk(`irq ${intid}: nobody cared (try booting with the "irqpoll" option)`);
  }
}

/** smp_cross_call(): an inter-processor interrupt to another core. */
export function sendIpi(k: Context, target: number, number: number): void {
  k.cpu.charge(COST_IPI_SEND);
  k.kernel.count(number === IPI_RESCHEDULE ? "ipi_reschedule" : "ipi_call_function");
  sendSgi(k.cpu as Aarch64Cpu, k.kernel.platform.cpus[target] as Aarch64Cpu, number);
}

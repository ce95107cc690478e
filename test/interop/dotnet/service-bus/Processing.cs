using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;

namespace Threadkeep.Interop;

/// <summary>The processor, which the Functions host's trigger is built on.</summary>
public static class Processing
{
    public static void AddTo(Checks checks, Bus bus)
    {
        checks.Add("processor: 16 concurrent handlers take 1,000 messages, each once", () => ThousandAsync(bus));
        checks.Add("processor: it goes on while one message is held, however many pass by", () => HeldAsync(bus));
        checks.Add("processor: a handler that throws gets its message again, and in the end a dead letter", () => ThrowingAsync(bus));
        checks.Add("processor: the lock of a slow handler is renewed", () => SlowAsync(bus));
        checks.Add("processor: it stops when its handlers have ended, and takes no more", () => StoppingAsync(bus));
        checks.Add("processor: it works on dead letters too", () => DeadLettersAsync(bus));
    }

    private static async Task ThousandAsync(Bus bus)
    {
        await using var client = bus.Connect();
        for (var from = 0; from < 1000; from += 250)
            await client.CreateSender("processor").SendMessagesAsync(Enumerable.Range(from, 250).Select(Sending.Numbered));
        var seen = new ConcurrentBag<int>();
        var (running, most) = (0, 0);
        await using var processor = client.CreateProcessor("processor", new ServiceBusProcessorOptions { MaxConcurrentCalls = 16 });
        await RunAsync(
            processor,
            async message =>
            {
                InterlockedMax(ref most, Interlocked.Increment(ref running));
                await Task.Delay(2);
                seen.Add(int.Parse(message.Message.Body.ToString()));
                Interlocked.Decrement(ref running);
            },
            async () => await bus.TotalAsync("processor", "completed") == 1000
        );
        Checks.Same(Enumerable.Range(0, 1000), seen.Order(), "messages");
        Checks.Equal(16, most, "handlers at one time");
        Checks.Equal(1000, await KeptAsync(bus, "processor"), "deliveries");
        Checks.Equal(0, await bus.CountAsync("processor", "active"), "messages left");
    }

    /// <summary>More than the 2,048 deliveries that a session of rhea keeps by default, from the oldest unsettled one on.</summary>
    private static async Task HeldAsync(Bus bus)
    {
        const int passing = 2100;
        await using var client = bus.Connect();
        for (var from = 0; from <= passing; from += 300)
            await client.CreateSender("held").SendMessagesAsync(Enumerable.Range(from, 300).Select(Sending.Numbered));
        var release = new TaskCompletionSource();
        await using var processor = client.CreateProcessor("held", new ServiceBusProcessorOptions { MaxConcurrentCalls = 16 });
        await RunAsync(
            processor,
            message => message.Message.Body.ToString() == "0" ? release.Task : Task.CompletedTask,
            async () =>
            {
                if (await bus.TotalAsync("held", "completed") >= passing) release.TrySetResult();
                return await bus.CountAsync("held", "active") == 0;
            }
        );
        Checks.Equal(passing + 300, await KeptAsync(bus, "held"), "deliveries");
    }

    private static async Task ThrowingAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("throwing").SendMessageAsync(Sending.Numbered(1));
        var counts = new ConcurrentQueue<int>();
        await using var processor = client.CreateProcessor("throwing");
        await RunAsync(
            processor,
            message =>
            {
                counts.Enqueue(message.Message.DeliveryCount);
                throw new InvalidOperationException("no luck");
            },
            async () => await bus.CountAsync("throwing", "deadLettered") == 1
        );
        Checks.Same([1, 2, 3], counts, "delivery counts");
    }

    private static async Task SlowAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("slow").SendMessageAsync(Sending.Numbered(1));
        var calls = 0;
        await using var processor = client.CreateProcessor("slow");
        await RunAsync(
            processor,
            async message =>
            {
                Interlocked.Increment(ref calls);
                var end = message.Message.LockedUntil.AddSeconds(2);
                while (DateTimeOffset.UtcNow < end) await Task.Delay(50);
            },
            async () => await bus.TotalAsync("slow", "completed") == 1
        );
        Checks.Equal(1, calls, "calls of the handler");
        Checks.Equal(0, await bus.TotalAsync("slow", "expiredLocks"), "locks that ended");
    }

    private static async Task StoppingAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var sender = client.CreateSender("stopping");
        await sender.SendMessageAsync(Sending.Numbered(1));
        var (started, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var processor = client.CreateProcessor("stopping");
        processor.ProcessMessageAsync += async _ =>
        {
            started.TrySetResult();
            await finish.Task;
        };
        processor.ProcessErrorAsync += _ => Task.CompletedTask;
        await processor.StartProcessingAsync();
        await started.Task;
        var stopping = processor.StopProcessingAsync();
        finish.SetResult();
        await stopping;
        await sender.SendMessageAsync(Sending.Numbered(2));
        Checks.Equal(1, await bus.TotalAsync("stopping", "completed"), "completed");
        Checks.Equal("2", (await client.CreateReceiver("stopping").ReceiveMessageAsync()).Body.ToString(), "body");
    }

    private static async Task DeadLettersAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("letters").SendMessageAsync(Sending.Numbered(1));
        var receiver = client.CreateReceiver("letters");
        await receiver.DeadLetterMessageAsync(await receiver.ReceiveMessageAsync(), "bad");
        var options = new ServiceBusProcessorOptions { SubQueue = SubQueue.DeadLetter };
        await using var processor = client.CreateProcessor("letters", options);
        var reason = "";
        await RunAsync(
            processor,
            message =>
            {
                reason = message.Message.DeadLetterReason;
                return Task.CompletedTask;
            },
            async () => await bus.CountAsync("letters", "deadLettered") == 0
        );
        Checks.Equal("bad", reason, "reason");
    }

    /// <summary>Deliveries without those that the client gave back, as it does with what comes when a receive has just ended.</summary>
    private static async Task<long> KeptAsync(Bus bus, string queue) =>
        await bus.TotalAsync(queue, "delivered") - await bus.TotalAsync(queue, "released");

    /// <summary>Processes messages until a condition holds. Errors other than those of the handler fail the check.</summary>
    private static async Task RunAsync(
        ServiceBusProcessor processor,
        Func<ProcessMessageEventArgs, Task> handle,
        Func<Task<bool>> finished
    )
    {
        var errors = new ConcurrentQueue<Exception>();
        processor.ProcessMessageAsync += handle;
        processor.ProcessErrorAsync += error =>
        {
            if (error.ErrorSource != ServiceBusErrorSource.ProcessMessageCallback) errors.Enqueue(error.Exception);
            return Task.CompletedTask;
        };
        await processor.StartProcessingAsync();
        await Checks.UntilAsync(finished);
        await processor.StopProcessingAsync();
        if (errors.TryPeek(out var first)) throw first;
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (var known = target; value > known; known = target) Interlocked.CompareExchange(ref target, value, known);
    }
}

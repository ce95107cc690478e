using Azure.Messaging.ServiceBus;

namespace Threadkeep.Interop;

/// <summary>The ends of a delivery: complete, abandon, defer, dead-letter; and the lock that they need.</summary>
public static class Settling
{
    public static void AddTo(Checks checks, Bus bus)
    {
        checks.Add("complete: the message is gone", () => CompleteAsync(bus));
        checks.Add("abandon: the message comes again at once, counted, with the properties that were set", () => AbandonAsync(bus));
        checks.Add("abandon: after the last delivery the message is a dead letter", () => LastDeliveryAsync(bus));
        checks.Add("defer: the message is received by its number only, and completed", () => DeferAsync(bus));
        checks.Add("dead-letter: the reason can be read by sub-queue and by path, and the message completed", () => DeadLetterAsync(bus));
        checks.Add("renew: the lock holds for longer than its duration", () => RenewAsync(bus));
        checks.Add("lock: a completion that comes too late fails by name", () => LockLostAsync(bus));
        checks.Add("settle: 16 receivers of one client settle 400 messages in four ways, each as it was told", () => MixedAsync(bus));
    }

    private static async Task CompleteAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var receiver = await SendAndReceiveAsync(client, "complete");
        await receiver.Receiver.CompleteMessageAsync(receiver.Message);
        Checks.Equal(0, await bus.CountAsync("complete", "active"), "messages");
    }

    private static async Task AbandonAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var (receiver, message) = await SendAndReceiveAsync(client, "abandon");
        await receiver.AbandonMessageAsync(message, new Dictionary<string, object> { ["why"] = "busy", ["tries"] = 3 });
        var again = await receiver.ReceiveMessageAsync();
        Checks.Equal(2, again.DeliveryCount, "delivery count");
        Checks.Equal<object>("busy", again.ApplicationProperties["why"], "property");
        Checks.Equal<object>(3, again.ApplicationProperties["tries"], "property");
        Checks.That(again.LockToken != message.LockToken, "the lock token is the old one");
    }

    private static async Task LastDeliveryAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var (receiver, message) = await SendAndReceiveAsync(client, "last");
        for (var delivery = 1; delivery < 3; delivery++)
        {
            await receiver.AbandonMessageAsync(message);
            message = await receiver.ReceiveMessageAsync();
        }
        Checks.Equal(3, message.DeliveryCount, "delivery count");
        await receiver.AbandonMessageAsync(message);
        var dead = await DeadLetters(client, "last").ReceiveMessageAsync();
        Checks.Equal("MaxDeliveryCountExceeded", dead.DeadLetterReason, "reason");
        Checks.Equal(0, await bus.CountAsync("last", "active"), "messages");
    }

    private static async Task DeferAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var (receiver, message) = await SendAndReceiveAsync(client, "defer");
        await receiver.DeferMessageAsync(message);
        Checks.Equal(null, await receiver.ReceiveMessageAsync(TimeSpan.FromMilliseconds(300)), "a message that is deferred");
        var deferred = await receiver.ReceiveDeferredMessageAsync(message.SequenceNumber);
        Checks.Equal(ServiceBusMessageState.Deferred, deferred.State, "state");
        await receiver.CompleteMessageAsync(deferred);
        var error = await Checks.ThrowsAsync<ServiceBusException>(() =>
            receiver.ReceiveDeferredMessageAsync(message.SequenceNumber)
        );
        Checks.Equal(ServiceBusFailureReason.MessageNotFound, error.Reason, "reason");
    }

    private static async Task DeadLetterAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var (receiver, message) = await SendAndReceiveAsync(client, "dead");
        await receiver.DeadLetterMessageAsync(message, "bad", "very bad");
        var peeked = await client.CreateReceiver("dead/$DeadLetterQueue").PeekMessageAsync();
        Checks.Equal("bad", peeked.DeadLetterReason, "reason by path");
        var letters = DeadLetters(client, "dead");
        var dead = await letters.ReceiveMessageAsync();
        Checks.Equal("very bad", dead.DeadLetterErrorDescription, "description");
        Checks.Equal(message.MessageId, dead.MessageId, "message id");
        await letters.CompleteMessageAsync(dead);
        Checks.Equal(0, await bus.CountAsync("dead", "deadLettered"), "dead letters");
    }

    private static async Task RenewAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var (receiver, message) = await SendAndReceiveAsync(client, "short");
        var first = message.LockedUntil;
        while (DateTimeOffset.UtcNow < first.AddMilliseconds(500))
        {
            await Task.Delay(200);
            await receiver.RenewMessageLockAsync(message);
        }
        Checks.That(message.LockedUntil > first, "the end of the lock has not moved");
        await receiver.CompleteMessageAsync(message);
        Checks.Equal(0, await bus.TotalAsync("short", "expiredLocks"), "locks that ended");
    }

    private static async Task LockLostAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var (receiver, message) = await SendAndReceiveAsync(client, "lost");
        await Checks.UntilAsync(async () => await bus.TotalAsync("lost", "expiredLocks") == 1);
        var error = await Checks.ThrowsAsync<ServiceBusException>(() => receiver.CompleteMessageAsync(message));
        Checks.Equal(ServiceBusFailureReason.MessageLockLost, error.Reason, "reason of the completion");
        error = await Checks.ThrowsAsync<ServiceBusException>(() => receiver.RenewMessageLockAsync(message));
        Checks.Equal(ServiceBusFailureReason.MessageLockLost, error.Reason, "reason of the renewal");
        Checks.Equal(2, (await receiver.ReceiveMessageAsync()).DeliveryCount, "delivery count");
    }

    private static async Task MixedAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("mixed").SendMessagesAsync(Enumerable.Range(0, 400).Select(Sending.Numbered));
        var receivers = Enumerable.Range(0, 16).Select(_ => client.CreateReceiver("mixed")).ToList();
        await Task.WhenAll(receivers.Select(receiver => SettleAsync(receiver)));
        Checks.Equal(200, await bus.TotalAsync("mixed", "completed"), "completed (each abandoned one too, in the end)");
        Checks.Equal(100, await bus.TotalAsync("mixed", "abandoned"), "abandoned");
        Checks.Equal(100, await bus.CountAsync("mixed", "deferred"), "deferred");
        Checks.Equal(100, await bus.CountAsync("mixed", "deadLettered"), "dead letters");
        Checks.Equal(0, await bus.CountAsync("mixed", "active"), "messages left");
    }

    /// <summary>By their number: complete, abandon first, defer, dead-letter.</summary>
    private static async Task SettleAsync(ServiceBusReceiver receiver)
    {
        while (await receiver.ReceiveMessagesAsync(10, TimeSpan.FromSeconds(1)) is { Count: > 0 } messages)
        {
            await Task.WhenAll(
                messages.Select(message =>
                    (int.Parse(message.Body.ToString()) % 4, message.DeliveryCount) switch
                    {
                        (1, 1) => receiver.AbandonMessageAsync(message),
                        (2, _) => receiver.DeferMessageAsync(message),
                        (3, _) => receiver.DeadLetterMessageAsync(message),
                        _ => receiver.CompleteMessageAsync(message),
                    }
                )
            );
        }
    }

    private static async Task<(ServiceBusReceiver Receiver, ServiceBusReceivedMessage Message)> SendAndReceiveAsync(
        ServiceBusClient client,
        string queue
    )
    {
        await client.CreateSender(queue).SendMessageAsync(Sending.Numbered(1));
        var receiver = client.CreateReceiver(queue);
        return (receiver, await receiver.ReceiveMessageAsync());
    }

    private static ServiceBusReceiver DeadLetters(ServiceBusClient client, string queue) =>
        client.CreateReceiver(queue, new ServiceBusReceiverOptions { SubQueue = SubQueue.DeadLetter });
}

using System.Diagnostics;
using Azure.Messaging.ServiceBus;

namespace Threadkeep.Interop;

/// <summary>Messages on their way out: drain, prefetch, peek, receive-and-delete.</summary>
public static class Receiving
{
    public static void AddTo(Checks checks, Bus bus)
    {
        checks.Add("receive: asking for more than there is brings what is there, and later messages are not lost", () => DrainAsync(bus));
        checks.Add("receive: an empty queue brings nothing after the wait", () => EmptyAsync(bus));
        checks.Add("receive: a message that is sent during the wait comes at once", () => WaitAsync(bus));
        checks.Add("receive: 16 waits that end without a message take none with them", () => CancelledWaitsAsync(bus));
        checks.Add("prefetch: messages are held ready, and all can be completed", () => PrefetchAsync(bus));
        checks.Add("receive and delete: no lock, no completion", () => ReceiveAndDeleteAsync(bus));
        checks.Add("peek: page by page, in every state, taking nothing", () => PeekAsync(bus));
    }

    private static async Task DrainAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var sender = client.CreateSender("drain");
        var receiver = client.CreateReceiver("drain");
        for (var round = 0; round < 5; round++)
        {
            await sender.SendMessagesAsync([Sending.Numbered(2 * round), Sending.Numbered(2 * round + 1)]);
            var received = new List<int>();
            while (received.Count < 2)
            {
                var messages = await receiver.ReceiveMessagesAsync(10, TimeSpan.FromSeconds(3));
                Checks.That(messages.Count > 0, $"round {round}: nothing came");
                foreach (var message in messages)
                {
                    received.Add(int.Parse(message.Body.ToString()));
                    // The client releases what comes while it asks for nothing: those deliveries do not count.
                    Checks.Equal(1, message.DeliveryCount, "delivery count");
                    await receiver.CompleteMessageAsync(message);
                }
            }
            Checks.Same([2 * round, 2 * round + 1], received.Order(), $"round {round}");
        }
        Checks.Equal(0, await bus.TotalAsync("drain", "expiredLocks"), "locks that ended");
        Checks.Equal(10, await bus.TotalAsync("drain", "completed"), "completed");
    }

    private static async Task EmptyAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var watch = Stopwatch.StartNew();
        var message = await client.CreateReceiver("empty").ReceiveMessageAsync(TimeSpan.FromMilliseconds(500));
        Checks.Equal(null, message, "a message");
        Checks.That(watch.ElapsedMilliseconds >= 450, "it did not wait");
    }

    private static async Task WaitAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var receiver = client.CreateReceiver("wait");
        await receiver.PeekMessageAsync();
        var receiving = receiver.ReceiveMessageAsync(TimeSpan.FromSeconds(30));
        await client.CreateSender("wait").SendMessageAsync(Sending.Numbered(1));
        Checks.Equal("1", (await receiving.WaitAsync(TimeSpan.FromSeconds(10))).Body.ToString(), "body");
    }

    private static async Task CancelledWaitsAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var receivers = Enumerable.Range(0, 16).Select(_ => client.CreateReceiver("waits")).ToList();
        var none = await Task.WhenAll(receivers.Select(each => each.ReceiveMessagesAsync(5, TimeSpan.FromMilliseconds(300))));
        Checks.Equal(0, none.Sum(messages => messages.Count), "messages");
        await client.CreateSender("waits").SendMessagesAsync(Enumerable.Range(0, 20).Select(Sending.Numbered));
        var last = client.CreateReceiver("waits");
        var received = new List<int>();
        while (received.Count < 20)
        {
            var messages = await last.ReceiveMessagesAsync(20, TimeSpan.FromSeconds(3));
            Checks.That(messages.Count > 0, $"only {received.Count} came: the rest went to receivers that wait no more");
            received.AddRange(messages.Select(message => int.Parse(message.Body.ToString())));
        }
        Checks.Same(Enumerable.Range(0, 20), received.Order(), "messages");
    }

    private static async Task PrefetchAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("prefetch").SendMessagesAsync(Enumerable.Range(0, 100).Select(Sending.Numbered));
        var receiver = client.CreateReceiver("prefetch", new ServiceBusReceiverOptions { PrefetchCount = 40 });
        for (var number = 0; number < 100; number++)
        {
            var message = await receiver.ReceiveMessageAsync(TimeSpan.FromSeconds(5));
            Checks.Equal($"{number}", message?.Body.ToString(), "body");
            await receiver.CompleteMessageAsync(message);
        }
        Checks.Equal(100, await bus.TotalAsync("prefetch", "completed"), "completed");
    }

    private static async Task ReceiveAndDeleteAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("delete").SendMessagesAsync(Enumerable.Range(0, 3000).Select(Sending.Numbered));
        Checks.Same(Enumerable.Range(0, 3000), await Sending.TakeAsync(client, "delete", 3000), "messages");
        Checks.Equal(0, await bus.CountAsync("delete", "active"), "messages left");
    }

    private static async Task PeekAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("peek").SendMessagesAsync(Enumerable.Range(0, 5).Select(Sending.Numbered));
        var receiver = client.CreateReceiver("peek");
        var locked = await receiver.ReceiveMessageAsync();
        await receiver.DeferMessageAsync(await receiver.ReceiveMessageAsync());
        var peeked = (await receiver.PeekMessagesAsync(2)).Concat(await receiver.PeekMessagesAsync(10)).ToList();
        Checks.Same(Enumerable.Range(0, 5), peeked.Select(message => int.Parse(message.Body.ToString())), "messages");
        Checks.Equal(ServiceBusMessageState.Deferred, peeked[1].State, "state of the second");
        var again = await receiver.PeekMessageAsync(locked.SequenceNumber);
        Checks.Equal("0", again.Body.ToString(), "by number");
        Checks.Equal(2, await bus.TotalAsync("peek", "delivered"), "deliveries");
    }
}

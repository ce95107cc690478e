using Azure.Messaging.ServiceBus;

namespace Threadkeep.Interop;

/// <summary>Messages on their way in: properties, batches, limits, schedules.</summary>
public static class Sending
{
    private const int StandardLimit = 256 * 1024;

    public static void AddTo(Checks checks, Bus bus)
    {
        checks.Add("send: a message arrives with its body and all its properties", () => RoundTripAsync(bus));
        checks.Add("send: a list of messages keeps its order", () => ListAsync(bus));
        checks.Add("batch: it takes 256 KB, is sent whole, and keeps its order", () => BatchAsync(bus));
        checks.Add("send: a message over 256 KB is refused by name, and the sender goes on", () => TooLargeAsync(bus));
        checks.Add("send: an id over 128 characters is refused before it is sent", () => LongIdAsync(bus));
        checks.Add("schedule: a message arrives then, not before", () => ScheduleAsync(bus));
        checks.Add("cancel: a cancelled message never arrives, and cannot be cancelled twice", () => CancelAsync(bus));
        checks.Add("duplicates: a second message with the same id is dropped", () => DuplicatesAsync(bus));
    }

    private static async Task RoundTripAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var sent = new ServiceBusMessage(BinaryData.FromString("""{"run":"run_1"}"""))
        {
            MessageId = "id-1",
            ContentType = "application/json",
            CorrelationId = "correlation",
            Subject = "subject",
            To = "to",
            ReplyTo = "reply-to",
            PartitionKey = "partition",
            TimeToLive = TimeSpan.FromMinutes(1),
        };
        var moment = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123);
        object[] values = ["ü", 42, -7L, 1.5, true, 2.5m, Guid.NewGuid(), moment, TimeSpan.FromHours(1), (byte)9, 'x'];
        foreach (var value in values) sent.ApplicationProperties[value.GetType().Name] = value;
        await client.CreateSender("send").SendMessageAsync(sent);
        var received = await client.CreateReceiver("send").ReceiveMessageAsync();
        Checks.Equal(sent.Body.ToString(), received.Body.ToString(), "body");
        Checks.Equal("id-1", received.MessageId, "message id");
        Checks.Equal("application/json", received.ContentType, "content type");
        Checks.Equal("correlation", received.CorrelationId, "correlation id");
        Checks.Equal("subject", received.Subject, "subject");
        Checks.Equal("to", received.To, "to");
        Checks.Equal("reply-to", received.ReplyTo, "reply to");
        Checks.Equal("partition", received.PartitionKey, "partition key");
        Checks.Equal(TimeSpan.FromMinutes(1), received.TimeToLive, "time to live");
        Checks.Equal(1, received.DeliveryCount, "delivery count");
        Checks.Equal(ServiceBusMessageState.Active, received.State, "state");
        Checks.That(received.SequenceNumber > 0, "there is no sequence number");
        Checks.That(received.LockToken != Guid.Empty.ToString(), "there is no lock token");
        Checks.That((DateTimeOffset.UtcNow - received.EnqueuedTime).Duration() < TimeSpan.FromSeconds(10), "enqueued time");
        Checks.That(received.LockedUntil > DateTimeOffset.UtcNow, "the lock is over already");
        foreach (var value in values)
            Checks.Equal(value, received.ApplicationProperties[value.GetType().Name], value.GetType().Name);
    }

    private static async Task ListAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("list").SendMessagesAsync(Enumerable.Range(0, 50).Select(Numbered));
        Checks.Same(Enumerable.Range(0, 50), await TakeAsync(client, "list", 50), "messages");
    }

    private static async Task BatchAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var sender = client.CreateSender("batch");
        using var batch = await sender.CreateMessageBatchAsync();
        Checks.Equal(StandardLimit, batch.MaxSizeInBytes, "size of a batch");
        while (batch.TryAddMessage(new ServiceBusMessage(BinaryData.FromString($"{batch.Count} {new string('x', 1000)}"))))
        {
        }
        Checks.That(batch.Count > 200, $"only {batch.Count} messages of 1 KB fit");
        await sender.SendMessagesAsync(batch);
        Checks.Same(Enumerable.Range(0, batch.Count), await TakeAsync(client, "batch", batch.Count), "messages");
    }

    private static async Task TooLargeAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var sender = client.CreateSender("large");
        var large = new ServiceBusMessage(BinaryData.FromBytes(new byte[StandardLimit + 1]));
        var error = await Checks.ThrowsAsync<ServiceBusException>(() => sender.SendMessageAsync(large));
        Checks.Equal(ServiceBusFailureReason.MessageSizeExceeded, error.Reason, "reason");
        await sender.SendMessageAsync(new ServiceBusMessage(BinaryData.FromBytes(new byte[StandardLimit - 1024])));
        Checks.Equal(1, await bus.CountAsync("large", "active"), "messages");
    }

    private static async Task LongIdAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("ids").SendMessageAsync(new ServiceBusMessage { MessageId = new string('i', 128) });
        await Checks.ThrowsAsync<ArgumentException>(() =>
        {
            var message = new ServiceBusMessage { MessageId = new string('i', 129) };
            return client.CreateSender("ids").SendMessageAsync(message);
        });
    }

    private static async Task ScheduleAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var due = DateTimeOffset.UtcNow.AddMilliseconds(700);
        var numbers = await client.CreateSender("schedule").ScheduleMessagesAsync([Numbered(0), Numbered(1)], due);
        Checks.Equal(2, numbers.Distinct().Count(), "sequence numbers");
        var peeked = await client.CreateReceiver("schedule").PeekMessageAsync();
        Checks.Equal(ServiceBusMessageState.Scheduled, peeked.State, "state before its time");
        Checks.Same([0, 1], await TakeAsync(client, "schedule", 2), "messages");
        Checks.That(DateTimeOffset.UtcNow >= due, "they arrived too early");
    }

    private static async Task CancelAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var sender = client.CreateSender("cancel");
        var due = DateTimeOffset.UtcNow.AddMilliseconds(500);
        var cancelled = await sender.ScheduleMessageAsync(Numbered(0), due);
        await sender.ScheduleMessageAsync(Numbered(1), due);
        await sender.CancelScheduledMessageAsync(cancelled);
        Checks.Same([1], await TakeAsync(client, "cancel", 1), "messages");
        Checks.Equal(0, await bus.CountAsync("cancel", "active"), "messages left");
        var error = await Checks.ThrowsAsync<ServiceBusException>(() => sender.CancelScheduledMessageAsync(cancelled));
        Checks.Equal(ServiceBusFailureReason.MessageNotFound, error.Reason, "reason");
    }

    private static async Task DuplicatesAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var sender = client.CreateSender("duplicates");
        foreach (var id in new[] { "same", "same", "other" }) await sender.SendMessageAsync(new ServiceBusMessage { MessageId = id });
        Checks.Equal(2, await bus.CountAsync("duplicates", "active"), "messages");
    }

    public static ServiceBusMessage Numbered(int number) => new(BinaryData.FromString($"{number}")) { MessageId = $"{number}" };

    /// <summary>The numbers that the bodies of the next messages begin with.</summary>
    public static async Task<List<int>> TakeAsync(ServiceBusClient client, string queue, int count)
    {
        var options = new ServiceBusReceiverOptions { ReceiveMode = ServiceBusReceiveMode.ReceiveAndDelete };
        await using var receiver = client.CreateReceiver(queue, options);
        var numbers = new List<int>();
        while (numbers.Count < count)
        {
            var messages = await receiver.ReceiveMessagesAsync(count - numbers.Count, TimeSpan.FromSeconds(5));
            Checks.That(messages.Count > 0, $"only {numbers.Count} of {count} messages came");
            numbers.AddRange(messages.Select(message => int.Parse(message.Body.ToString().Split(' ')[0])));
        }
        return numbers;
    }
}
